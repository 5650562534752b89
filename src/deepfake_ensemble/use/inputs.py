"""Where images come from: files, folders, patterns, archives, standard input."""

import glob
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deepfake_ensemble.archives.archive import Limits, open_archive
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.images import BadImage

STANDARD_INPUT = "-"
ARCHIVE = ".zip"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
LARGEST = 64 * 2**20  # bytes of a file, as many as an archive's entry may have
# Drawings and screenshots shrink a lot when packed; the sizes themselves stay bounded.
_LIMITS = Limits(file_bytes=LARGEST, ratio=1_000)


@dataclass(frozen=True)
class Input:
    """An image to classify: what it is called, and how its bytes are read; `read` raises BadImage, saying why
    they cannot be."""

    name: str
    read: Callable[[], bytes]


class Inputs:
    """Everything that the arguments of a command name, in order, files of a folder sorted by their paths.

    What cannot be found is an input as well, whose `read` says so: one wrong path does not end a run of many.
    """

    def __init__(self, arguments: Iterable[str]) -> None:
        self._open = ExitStack()
        self._inputs = [found for argument in arguments for found in self._named(argument)]

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[Input]:
        return iter(self._inputs)

    def close(self) -> None:
        """Close the archives."""
        self._open.close()

    def _named(self, argument: str) -> Iterator[Input]:
        if argument == STANDARD_INPUT:
            yield _standard_input()
        elif os.path.lexists(argument) or not glob.has_magic(argument):
            yield from self._at(Path(argument))
        else:
            yield from self._matching(argument)

    def _matching(self, pattern: str) -> Iterator[Input]:
        """Yield the images and archives that match; folders only where none of their content does."""
        matches = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 (Path globs below itself)
        files = [path for path in matches if path.suffix.lower() in (*SUFFIXES, ARCHIVE) and _is_file(path)]
        folders = [] if "**" in pattern else [path for path in matches if _is_folder(path)]
        if not files and not folders:
            yield _missing(pattern, f"no file that ends in {', '.join(SUFFIXES)} matches this pattern")
        for path in sorted([*files, *folders]):
            yield from self._at(path)

    def _at(self, path: Path) -> Iterator[Input]:
        if _is_folder(path):
            files, closed = _images_below(path)
            yield from (Input(str(file), partial(_bytes, file)) for file in files)
            yield from (_missing(str(folder), "this folder cannot be read") for folder in closed)
            if not files and not closed:
                yield _missing(str(path), f"no file in this folder ends in {', '.join(SUFFIXES)}")
        elif path.suffix.lower() == ARCHIVE and _is_file(path):
            yield from self._in_archive(path)
        else:
            yield Input(str(path), partial(_bytes, path))

    def _in_archive(self, path: Path) -> Iterator[Input]:
        try:
            archive = self._open.enter_context(open_archive(path, _LIMITS))
        except UserError as error:
            yield _missing(str(path), str(error).removeprefix(f"{path}: "))
            return
        names = [name for name in archive.names if name.lower().endswith(SUFFIXES)]
        for name in names:
            yield Input(f"{path}/{name}", partial(_entry, archive.read, name))
        if not names:
            yield _missing(str(path), f"no file in this archive ends in {', '.join(SUFFIXES)}")


def _images_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images in a folder and those below it, and the folders there that cannot be read."""
    found: list[Path] = []
    closed: list[Path] = []

    def note(error: OSError) -> None:
        closed.append(Path(error.filename))

    for root, _, files in os.walk(folder, onerror=note):  # follows no links to folders, so it ends
        found += [Path(root, file) for file in files if file.lower().endswith(SUFFIXES)]
    return sorted(found), sorted(closed)


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (Path's own raises for a name that is too long)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (as above)


def _missing(name: str, reason: str) -> Input:
    def read() -> bytes:
        raise BadImage(reason)

    return Input(name, read)


def _bytes(path: Path) -> bytes:
    try:
        # A pipe would block, a device never end; a link is followed first.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadImage("not a file")
        with path.open("rb") as file:
            return _bounded(file.read(LARGEST + 1))
    except OSError as error:
        raise BadImage((error.strerror or type(error).__name__).lower()) from None


def _entry(read: Callable[[str], bytes], name: str) -> bytes:
    try:
        return read(name)
    except UserError as error:
        raise BadImage(str(error)) from None


def _standard_input() -> Input:
    # Read here, not by the thread that decodes: that one could not be interrupted.
    data = sys.stdin.buffer.read(LARGEST + 1)
    return Input("standard input", lambda: _bounded(data))


def _bounded(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise BadImage(f"larger than {LARGEST // 2**20} MiB")
    return data
