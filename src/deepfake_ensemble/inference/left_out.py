"""What a stage leaves for one run: a folder of results, or why there are none."""

import json
from pathlib import Path

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_folder, write_json

LEFT_OUT = "left_out.json"


def leave_out(folder: Path, reason: str) -> None:
    """Make `folder` say why there are no results, and hold nothing else."""
    with replacing_folder(folder) as partial:
        write_json(partial / LEFT_OUT, {"reason": reason})


def reason_left_out(folder: Path) -> str | None:
    """Return why there are no results in `folder`; None if there are.

    Raises:
        UserError: if the folder is missing or damaged.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: missing; `dvc repro` makes it and `dvc pull` fetches a stored one")
    file = folder / LEFT_OUT
    if not file.exists():
        return None
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["reason"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{file}: damaged; `dvc checkout` restores it") from None
