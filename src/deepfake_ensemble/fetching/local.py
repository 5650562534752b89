"""The user's own copy of an archive, downloaded by hand."""

import zipfile
from pathlib import Path

from dvc_objects.fs.system import reflink

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_file, require_room
from deepfake_ensemble.foundation.progress import bytes_progress

BLOCK = 1 << 24  # bytes


def fetch(source: Path, destination: Path) -> None:
    """Bring the archive at `source` to `destination`, which is replaced only when the copy is complete.

    The copy shares its blocks with the original where the file system can do that (Btrfs, XFS, APFS), and
    then takes no time and no room. It is never a hard link: with `cache.type` hardlink DVC takes the very
    file into its cache and makes it read-only, so that the user could no longer edit their own file, or
    would change DVC's cache by it.

    Args:
        source: the user's own archive.
        destination: replaced only when the copy is complete.

    Raises:
        UserError: if there is no archive, it is not a zip, or it cannot be copied.
    """
    if source.is_dir():
        raise UserError(
            f"{source}: is a folder, not the zip that Kaggle gives: put that there as it came, or name the"
            f" folder {source.with_suffix('')} and set source: folder in params.yaml"
        )
    if not source.is_file():
        raise UserError(
            f"{source}: no such file: put your copy of the {source.stem} archive there, the zip that Kaggle "
            f"gives (a browser calls it archive.zip), named {source.name} (`dvc exp run --temp` and `--queue`"
            f" leave it behind: add `-C {source.parent}`); or choose another source in params.yaml"
        )
    try:
        if not zipfile.is_zipfile(source):
            raise UserError(
                f"{source}: not a complete zip archive: download it again and put it there unchanged"
            )
        with replacing_file(destination) as partial:
            try:
                reflink(source, partial)
            except OSError:  # another file system, or one that cannot
                _copy(source, partial)
    except OSError as error:
        raise UserError(f"{source}: cannot be copied to {destination}: {error.strerror or error}") from None


def _copy(source: Path, target: Path) -> None:
    size = source.stat().st_size
    require_room(target.parent, size, f"a copy of {source}")
    with (
        source.open("rb") as reader,
        target.open("wb") as writer,
        bytes_progress(f"copying {source}", size) as advance,
    ):
        while block := reader.read(BLOCK):
            writer.write(block)
            advance(len(block))
