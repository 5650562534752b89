"""Zip archives that are written here, stored as Kaggle's: the same files give the same bytes."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

from deepfake_ensemble.foundation.files import replacing_file

Entry = tuple[str, bytes]


def write(destination: Path, entries: Iterable[Entry]) -> None:
    """Write names and contents to an archive that says nothing of when, where or by whom.

    Args:
        destination: replaced only when the archive is complete.
        entries: names and contents, in the order in which they are stored, uncompressed.
    """
    with replacing_file(destination) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
