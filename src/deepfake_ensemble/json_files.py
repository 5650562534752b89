"""Reading the pipeline's own JSON files; `files` writes them, and is code that a training depends on."""

import json
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: if it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; `dvc repro` makes it") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); restore it from git, or run `dvc repro`") from None
