"""Where images come from: files, folders, patterns, archives, standard input."""

import errno
import glob
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from PIL import Image

from deepfake_ensemble.archives.archive import Archive, Limits, open_archive
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.images import BadImage
from deepfake_ensemble.use.recognising import READ, passed_over

STANDARD_INPUT = "-"
ARCHIVE = ".zip"
LARGEST = 64 * 2**20  # bytes of a file, as many as an archive's entry may have
# Drawings and screenshots shrink a lot when packed; the sizes themselves stay bounded.
ARCHIVE_LIMITS = Limits(file_bytes=LARGEST, ratio=1_000)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NOTHING = f"ends like an image that is read ({READ})"
# What a path can be that was typed or found; any other error is the disk's, the network's or the computer's.
_OF_THE_FILE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG),
    *(errno.ELOOP, errno.EINVAL, errno.ENXIO),
)


class StorageFault(Exception):
    """What files lie on cannot be read or written: no image is at fault. The message is one line."""


def storage_fault(place: str, error: OSError) -> StorageFault | None:
    """Return the fault of storage that an error at a file or folder is; None if only that one is at fault."""
    if error.errno in _OF_THE_FILE:
        return None
    return StorageFault(f"{place}: {(error.strerror or str(error)).lower()}")


@dataclass(frozen=True)
class Input:
    """An image to classify: what it is called, and how its bytes are read, or itself if it is one already;
    `read` raises BadImage, saying why it cannot be, or StorageFault."""

    name: str
    read: Callable[[], bytes | Image.Image]


class Inputs:
    """Everything that the arguments of a command name, in order, files of a folder sorted by their paths.

    What cannot be found is an input as well, whose `read` says so: one wrong path does not end a run of many.

    Attributes:
        passed_over: how many files of folders, patterns and archives are no images, by kind.
    """

    def __init__(self, arguments: Iterable[str]) -> None:
        self.passed_over: Counter[str] = Counter()
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
        elif _ADDRESS.match(argument) and not os.path.lexists(argument):
            yield _missing(argument, "addresses are not fetched; save the image and give its file")
        elif os.path.lexists(argument) or not glob.has_magic(argument):
            yield from self._at(Path(argument))
        else:
            yield from self._matching(argument)

    def _matching(self, pattern: str) -> Iterator[Input]:
        """Yield the images and archives that match; folders only where none of their content does."""
        matches = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 (Path globs below itself)
        found = [path for path in matches if _is_file(path)]
        typed = next(i for i, part in enumerate(Path(pattern).parts) if glob.has_magic(part))
        files = [path for path in found if path.suffix.lower() == ARCHIVE or self._taken(path.parts[typed:])]
        folders = [] if "**" in pattern else [path for path in matches if _is_folder(path)]
        if not files and not folders:
            yield _missing(pattern, f"no file that matches this pattern {_NOTHING}")
        for path in sorted([*files, *folders]):
            yield from self._at(path)

    def _at(self, path: Path) -> Iterator[Input]:
        if _is_folder(path):
            files, closed = _files_below(path)
            images = [file for file in files if self._taken(file.relative_to(path).parts)]
            yield from (Input(str(file), partial(file_bytes, file, listed=True)) for file in images)
            yield from (_missing(str(folder), "this folder cannot be read") for folder in closed)
            if not images and not closed:
                yield _missing(str(path), f"no file in this folder {_NOTHING}")
        elif path.suffix.lower() == ARCHIVE and _is_file(path):
            yield from self._in_archive(path)
        else:
            yield file_at(path)

    def _in_archive(self, path: Path) -> Iterator[Input]:
        try:
            archive = self._open.enter_context(open_archive(path, ARCHIVE_LIMITS, of_user=True))
        except UserError as error:
            yield _missing(str(path), str(error).removeprefix(f"{path}: "))
            return
        names = [name for name in archive.names if self._taken(PurePosixPath(name).parts)]
        for name in names:
            yield Input(f"{path}/{name}", partial(entry_bytes, archive, name))
        if not names:
            yield _missing(str(path), f"no file in this archive {_NOTHING}")

    def _taken(self, parts: tuple[str, ...]) -> bool:
        kind = passed_over(parts)
        if kind:
            self.passed_over[kind] += 1
        return kind is None


def _files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files in a folder and those below it, and the folders there that cannot be read."""
    found: list[Path] = []
    closed: list[Path] = []

    def note(error: OSError) -> None:
        if fault := storage_fault(str(error.filename), error):
            raise fault
        closed.append(Path(error.filename))

    for root, _, files in os.walk(folder, onerror=note):  # follows no links to folders, so it ends
        found += [Path(root, file) for file in files]
    return sorted(found), sorted(closed)


def file_at(path: Path) -> Input:
    """Return the input that a file is."""
    return Input(str(path), partial(file_bytes, path))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (Path's own raises for a name that is too long)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (as above)


def _missing(name: str, reason: str) -> Input:
    def read() -> bytes:
        raise BadImage(reason)

    return Input(name, read)


def file_bytes(path: Path, listed: bool = False) -> bytes:
    """Return what is in a file.

    Args:
        path: of it.
        listed: whether a folder had it a moment ago.

    Raises:
        BadImage: if that one cannot be read.
        StorageFault: if what it lies on fails.
    """
    try:
        # A pipe would block, a device never end; a link is followed first.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadImage("not a file")
        with path.open("rb") as file:
            return bounded(file.read(LARGEST + 1))
    except OSError as error:
        if fault := storage_fault(str(path), error):
            raise fault from None
        if listed and isinstance(error, FileNotFoundError) and not _is_folder(path.parent):
            raise StorageFault(f"{path.parent}: was there, and is gone") from None
        raise BadImage((error.strerror or type(error).__name__).lower()) from None
    except BadImage:
        raise
    except ValueError:  # a null byte, in a list of paths
        raise BadImage("no name that a file can have") from None


def entry_bytes(archive: Archive, name: str) -> bytes:
    """Return what is in an archive's entry.

    Raises:
        BadImage: if that one is damaged.
        StorageFault: if the archive cannot be read.
    """
    try:
        return archive.read(name)
    except UserError as error:
        if archive.closed:
            raise StorageFault(f"{archive.path}: was closed while it was read") from None
        if isinstance(error.__cause__, OSError):
            raise StorageFault(f"{archive.path}: {str(error.__cause__.strerror).lower()}") from None
        raise BadImage(str(error).removeprefix(f"{archive.path}: ")) from None


def _standard_input() -> Input:
    # Read here, not by the thread that decodes: that one could not be interrupted.
    data = sys.stdin.buffer.read(LARGEST + 1)
    return Input("standard input", lambda: bounded(data))


def bounded(data: bytes) -> bytes:
    """Return the bytes of a file.

    Raises:
        BadImage: if there are too many.
    """
    if len(data) > LARGEST:
        raise BadImage(f"larger than {LARGEST // 2**20} MiB")
    return data
