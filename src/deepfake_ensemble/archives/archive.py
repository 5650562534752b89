"""Read a zip archive that nobody vouches for.

Everything that can be refused from the table of contents is refused before the first byte of an entry
is unpacked, and nothing is ever written to disk.
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepfake_ensemble.foundation.errors import UserError

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # bit 0 of an entry's flags
_LOCAL_HEADER = 30  # bytes in front of an entry's name and content
_DIRECTORY_BYTES_PER_FILE = 256  # the publishers' need 90 to 130
_LONGEST_NAME = 1_000  # characters, with its folders
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may hold; the real sets (140,000 images, 4 GiB) stay far below.

    Attributes:
        files: how many entries; macOS adds one of its own to each that it packs.
        file_bytes: of one of them, unpacked.
        total_bytes: of all of them, unpacked.
        ratio: unpacked bytes for each packed one; JPEG files hardly shrink, tables do tenfold.
    """

    files: int = 500_000
    file_bytes: int = 64 * 2**20
    total_bytes: int = 64 * 2**30
    ratio: int = 100


DEFAULT_LIMITS = Limits()


class Archive:
    """An open archive whose table of contents has been checked."""

    def __init__(self, path: Path, file: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
        self.path = path
        self._file = file
        self._entries = {entry.filename: entry for entry in entries}
        self.names: tuple[str, ...] = tuple(sorted(self._entries))
        """The regular files, sorted by name."""
        self.stored_order: tuple[str, ...] = tuple(
            entry.filename for entry in sorted(entries, key=lambda entry: entry.header_offset)
        )
        """The same names in the order of their bytes in the archive: the order to read all of them in."""

    def size(self, name: str) -> int:
        """Return the unpacked size of an entry in bytes; `read` returns exactly as many."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytes:
        """Return an entry's bytes, compared with its checksum.

        Raises:
            UserError: there is no such entry, or it is damaged.
        """
        entry = self._entry(name)
        try:
            with self._file.open(entry) as member:
                # With a bound, zlib unpacks no more than the declared size, whatever the content says.
                content = member.read(entry.file_size + 1)
        except OSError as error:
            raise UserError(f"{self.path}: entry {shown(name)} cannot be read ({error.strerror})") from error
        except _DAMAGE as error:
            wrong = "fails its checksum" if str(error).startswith("Bad CRC") else "cannot be unpacked"
            raise _damaged(self.path, f"entry {shown(name)} {wrong}") from error
        if len(content) != entry.file_size:
            raise _damaged(self.path, f"entry {shown(name)} is shorter than declared")
        return content

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._entries[name]
        except KeyError:
            raise UserError(
                f"{self.path}: there is no entry {shown(name)}; fetch the archive that belongs to this run"
            ) from None


@contextmanager
def open_archive(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[Archive]:
    """Open a zip archive for reading, after a check of its whole table of contents.

    Args:
        path: of the archive.
        limits: to what it may hold.

    Raises:
        UserError: the file is missing, no zip archive, or damaged, or the archive holds anything that the
            publishers' do not: encryption, links and other special files, paths that lead elsewhere, names
            that are repeated or not printable, overlapping entries, or more than `limits` allow.
    """
    try:
        raw = _BoundedFile(path, largest=max(limits.files * _DIRECTORY_BYTES_PER_FILE, limits.file_bytes + 1))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such archive; run the download stage or put it there") from None
    except OSError as error:
        raise UserError(f"{path}: the archive cannot be read ({error.strerror})") from error
    with raw:
        try:
            file = zipfile.ZipFile(raw, metadata_encoding="utf-8")
        except _TooMuchAtOnce:
            raise _refused(path, f"its table of contents is too long for {limits.files:,} files") from None
        except UnicodeDecodeError as error:
            raise _refused(path, f"the name {error.object!r:.120} is not UTF-8") from error
        except OSError as error:
            raise UserError(f"{path}: the archive cannot be read ({error.strerror})") from error
        except _DAMAGE as error:
            raise _not_an_archive(path, raw) from error
        with file:
            yield Archive(path, file, _checked_entries(path, file, limits))


def shown(name: str) -> str:
    """Return a name as it can stand in a line of text: quoted, escaped and of bounded length."""
    return ascii(name if len(name) <= 120 else f"{name[:120]}...")


class _TooMuchAtOnce(Exception):
    pass


class _BoundedFile(io.BufferedReader):
    """A file that refuses to be read in huge pieces: zipfile loads the table of contents in one go."""

    def __init__(self, path: Path, largest: int) -> None:
        super().__init__(io.FileIO(path))
        self._largest = largest

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._largest:
            raise _TooMuchAtOnce
        return super().read(size)


def _not_an_archive(path: Path, raw: io.BufferedReader) -> UserError:
    raw.seek(0)
    if raw.read(2) == b"PK":
        return _damaged(path, "the zip archive is truncated or damaged")
    return UserError(f"{path}: not a zip archive; fetch it again from its publisher")


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path}: {what}; fetch the archive again")


def _refused(path: Path, what: str) -> UserError:
    return UserError(f"{path}: {what}; use the publisher's own archive")


def _checked_entries(path: Path, file: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    """Return the entries that are regular files; the first one in any way suspicious raises UserError."""
    entries = file.infolist()
    if len(entries) > limits.files:
        raise _refused(path, f"{len(entries):,} entries are more than the {limits.files:,} allowed")
    seen: set[str] = set()
    total = 0
    for entry in entries:
        wrong = _wrong_name(entry) or _wrong_kind(entry) or _wrong_size(entry, limits)
        if not wrong and entry.filename in seen:
            wrong = "occurs twice"
        if wrong:
            raise _refused(path, f"entry {shown(entry.orig_filename)} {wrong}")
        seen.add(entry.filename)
        total += entry.file_size
    if total > limits.total_bytes:
        raise _refused(path, f"{total:,} bytes unpacked are more than the {limits.total_bytes:,} allowed")
    _check_overlaps(path, file, entries)
    return [entry for entry in entries if not entry.is_dir()]


def _wrong_name(entry: zipfile.ZipInfo) -> str | None:
    # zipfile cuts a name at its first null byte and may take another from an extra field: look at both.
    for name in {entry.orig_filename, entry.filename}:
        parts = name.removesuffix("/").split("/")
        faults = {
            "has a name with control characters": not name.isprintable(),
            f"has a name of more than {_LONGEST_NAME:,} characters": len(name) > _LONGEST_NAME,
            "has a backslash in its name": "\\" in name,
            "has an absolute path": name.startswith("/") or _DRIVE.match(name),
            "leads out of the archive": ".." in parts,
            "has an empty part in its path": "" in parts or "." in parts,
        }
        for fault, present in faults.items():
            if present:
                return fault
    return None


def _wrong_kind(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    # Many programs leave the kind out (0).
    if kind not in ((0, stat.S_IFDIR) if entry.is_dir() else (0, stat.S_IFREG)):
        return "is a special file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return f"is packed by an unusual method ({entry.compress_type})"
    return None


def _wrong_size(entry: zipfile.ZipInfo, limits: Limits) -> str | None:
    if entry.is_dir() and entry.file_size:
        return "is a folder with content"
    if entry.file_size > limits.file_bytes:
        return f"unpacks to {entry.file_size:,} bytes, more than the {limits.file_bytes:,} allowed"
    if entry.file_size > limits.ratio * entry.compress_size:
        return f"grows more than {limits.ratio}-fold when unpacked, like a decompression bomb"
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        return "declares two different sizes"
    return None


def _check_overlaps(path: Path, file: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    # Entries that share bytes are how 10 MB become 281 TB (Fifield 2019, "A better zip bomb", section 3).
    # Python 3.11.8 and later refuse them too, but only when an entry is read.
    end, previous = 0, None
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            wrong = f"overlaps entry {shown(previous.filename)}" if previous else "begins before the file"
            raise _refused(path, f"entry {shown(entry.filename)} {wrong}")
        name_bytes = len(entry.orig_filename.encode())
        end, previous = entry.header_offset + _LOCAL_HEADER + name_bytes + entry.compress_size, entry
    if previous and end > file.start_dir:
        raise _refused(path, f"entry {shown(previous.filename)} overlaps the table of contents")
