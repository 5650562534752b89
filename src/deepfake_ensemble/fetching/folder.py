"""A data set that lies unpacked in a folder, as Kaggle's notebooks mount it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deepfake_ensemble.fetching import zipped
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import require_room
from deepfake_ensemble.foundation.progress import count_progress


def fetch(source: Path, root: str, classes: Sequence[str], destination: Path) -> None:
    """Pack the data set in the folder `source` into an archive laid out as its publisher's.

    The same files give the same archive, however the folder lists them and whether it is what the archive
    unpacks to, a folder inside that, or one around it. Nothing is written into it.

    Args:
        source: the folder, or a link to it.
        root: the publisher's folders in front of the parts, with a slash behind each.
        classes: the folders of images, below `root` and with it.
        destination: replaced only when the archive is complete.

    Raises:
        UserError: if the folder is not there, holds no such data set, or cannot be read.
    """
    if not source.is_dir():
        raise UserError(
            f"{source}: no such folder: put the unpacked data set there, or a link to it"
            f" (ln -s /where/it/is {source}; `dvc exp run --temp` and `--queue` leave it behind: add"
            f" `-C {source.parent}`); or choose another source in params.yaml"
        )
    files = _files(source, root, classes)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _readable(source):
        size = sum(file.stat().st_size for _, file in files)
    require_room(destination.parent, size, f"an archive of {source}")
    zipped.write(destination, _read(source, files))


def _files(source: Path, root: str, classes: Sequence[str]) -> list[tuple[str, Path]]:
    """Return all files of the data set with their names in the archive, sorted by these."""
    with _readable(source):
        top, within = _top(source, root, classes)
        return sorted(
            (within + file.relative_to(top).as_posix(), file)
            for folder, _, names in os.walk(top, onerror=_fail, followlinks=True)
            for file in (Path(folder) / name for name in names)
        )


def _top(source: Path, root: str, classes: Sequence[str]) -> tuple[Path, str]:
    """Return the folder that holds the data set, and what stands before its files' names in the archive."""
    steps = root.split("/")[:-1]
    inside = [(source, "".join(f"{step}/" for step in steps[:depth])) for depth in range(len(steps) + 1)]
    around = [(child, "") for child in sorted(source.iterdir()) if child.is_dir()]
    for top, within in (*inside, *around):
        if all((top / folder.removeprefix(within)).is_dir() for folder in classes):
            return top, within
    raise UserError(
        f"{source}: the folders of the publisher's archive are not in it, such as {classes[0]}: put the data"
        " set there as it unpacks, or see data_sets in params.yaml for its layout"
    )


def _read(source: Path, files: Sequence[tuple[str, Path]]) -> Iterator[zipped.Entry]:
    with count_progress(f"pack {source}", len(files)) as advance:
        for name, file in files:
            with _readable(file):
                data = file.read_bytes()
            yield name, data
            advance(1)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from None


def _fail(error: OSError) -> None:
    raise error
