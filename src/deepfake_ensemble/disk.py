"""Room on the disk, asked for before a large file is written rather than found missing at its end."""

import shutil
from pathlib import Path

from rich.filesize import decimal

from deepfake_ensemble.foundation.errors import UserError


def require_room(folder: Path, needed: int, what: str) -> None:
    """Make sure that `needed` more bytes fit into `folder`, which must exist.

    Raises:
        UserError: if they do not; it says how much is needed and how much is free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder}: {what} needs {decimal(needed)} of disk and {decimal(free)} are free: "
            "make room and run the same command again"
        )
