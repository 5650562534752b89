"""Read a zip archive that nobody vouches for.

Everything that can be refused from the table of contents is refused before the first byte of an entry
is unpacked, and nothing is ever written to disk. A publisher's archive is refused as a whole for anything
odd; in one that somebody made at home an odd entry spoils only itself, unless it is made to do harm.
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
_UTF8 = 0x800  # bit 11: what its name is written in
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


@dataclass(frozen=True)
class _Advice:
    """What to do about an archive that is refused, is damaged, or is none."""

    refused: str
    damaged: str
    none: str


_PUBLISHERS = _Advice(
    refused="use the publisher's own archive",
    damaged="fetch the archive again",
    none="fetch it again from its publisher",
)
_USERS = _Advice(
    refused="unpack what you trust of it, and give the folder",
    damaged="unpack the archive, and give the folder",
    none="if it is another kind of archive, unpack it and give the folder",
)


@dataclass(frozen=True)
class _Entry:
    """A file in an archive, by the name it is called here.

    Attributes:
        name: with slashes, whatever the archive has.
        info: what the archive says of it.
        fault: why it is not read; None if it is.
    """

    name: str
    info: zipfile.ZipInfo
    fault: str | None = None


class Archive:
    """An open archive whose table of contents has been checked."""

    def __init__(self, path: Path, file: zipfile.ZipFile, entries: list[_Entry], advice: _Advice) -> None:
        self.path = path
        self._file = file
        self._advice = advice
        self._entries = {entry.name: entry for entry in entries}
        self.names: tuple[str, ...] = tuple(sorted(self._entries))
        """The regular files, sorted by name."""
        self.stored_order: tuple[str, ...] = tuple(
            entry.name for entry in sorted(self._entries.values(), key=lambda entry: entry.info.header_offset)
        )
        """The same names in the order of their bytes in the archive: the order to read all of them in."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be read from it any more."""
        return self._file.fp is None

    def size(self, name: str) -> int:
        """Return the unpacked size of an entry in bytes; `read` returns exactly as many."""
        return self._entry(name).info.file_size

    def read(self, name: str) -> bytes:
        """Return an entry's bytes, compared with its checksum.

        Raises:
            UserError: there is no such entry, or it is damaged.
        """
        entry = self._entry(name)
        if entry.fault:
            raise self._damaged(name, entry.fault)
        try:
            with self._file.open(entry.info) as member:
                # With a bound, zlib unpacks no more than the declared size, whatever the content says.
                content = member.read(entry.info.file_size + 1)
        except OSError as error:
            raise UserError(f"{self.path}: entry {shown(name)} cannot be read ({error.strerror})") from error
        except _DAMAGE as error:
            wrong = "fails its checksum" if str(error).startswith("Bad CRC") else "cannot be unpacked"
            raise self._damaged(name, wrong) from error
        if len(content) != entry.info.file_size:
            raise self._damaged(name, "is shorter than declared")
        return content

    def _damaged(self, name: str, wrong: str) -> UserError:
        return UserError(f"{self.path}: entry {shown(name)} {wrong}; {self._advice.damaged}")

    def _entry(self, name: str) -> _Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise UserError(
                f"{self.path}: there is no entry {shown(name)}; fetch the archive that belongs to this run"
            ) from None


@contextmanager
def open_archive(path: Path, limits: Limits = DEFAULT_LIMITS, *, of_user: bool = False) -> Iterator[Archive]:
    """Open a zip archive for reading, after a check of its whole table of contents.

    Args:
        path: of the archive.
        limits: to what it may hold.
        of_user: whether somebody made it at home. Then names may be in DOS's encoding and have backslashes,
            and an entry that is encrypted, too large, repeated or odd raises UserError when it is read.

    Raises:
        UserError: the file is missing, no zip archive, or damaged, or the archive holds anything that the
            publishers' do not: encryption, links and other special files, paths that lead elsewhere, names
            that are repeated or not printable, overlapping entries, or more than `limits` allow. Of a user's,
            what can only be meant to harm: paths that lead elsewhere, overlaps, decompression bombs.
    """
    advice = _USERS if of_user else _PUBLISHERS
    try:
        raw = _BoundedFile(path, largest=max(limits.files * _DIRECTORY_BYTES_PER_FILE, limits.file_bytes + 1))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such archive; run the download stage or put it there") from None
    except OSError as error:
        raise UserError(f"{path}: the archive cannot be read ({error.strerror})") from error
    with raw:
        try:
            file = zipfile.ZipFile(raw, metadata_encoding=None if of_user else "utf-8")
            try:
                entries = _checked_entries(file, limits, of_user)
            except BaseException:
                file.close()
                raise
        except _TooMuchAtOnce:
            long = f"its table of contents is too long for {limits.files:,} files"
            raise UserError(f"{path}: {long}; {advice.refused}") from None
        except _Refusal as error:
            raise UserError(f"{path}: {error}; {advice.refused}") from None
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}: the name {error.object!r:.120} is not UTF-8; {advice.refused}"
            ) from error
        except OSError as error:
            raise UserError(f"{path}: the archive cannot be read ({error.strerror})") from error
        except _DAMAGE as error:
            raise _not_an_archive(path, raw, advice) from error
        with file:
            yield Archive(path, file, entries, advice)


def shown(name: str) -> str:
    """Return a name as it can stand in a line of text: quoted, escaped and of bounded length."""
    return ascii(name if len(name) <= 120 else f"{name[:120]}...")


class _TooMuchAtOnce(Exception):
    pass


class _Refusal(Exception):
    """What an archive holds and may not."""


class _BoundedFile(io.BufferedReader):
    """A file that refuses to be read in huge pieces: zipfile loads the table of contents in one go."""

    def __init__(self, path: Path, largest: int) -> None:
        super().__init__(io.FileIO(path))
        self._largest = largest

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._largest:
            raise _TooMuchAtOnce
        return super().read(size)


def _not_an_archive(path: Path, raw: io.BufferedReader, advice: _Advice) -> UserError:
    raw.seek(0)
    if raw.read(2) == b"PK":
        return UserError(f"{path}: the zip archive is truncated or damaged; {advice.damaged}")
    return UserError(f"{path}: not a zip archive; {advice.none}")


def _checked_entries(file: zipfile.ZipFile, limits: Limits, of_user: bool) -> list[_Entry]:
    """Return the entries that are regular files.

    Raises:
        _Refusal: for the first entry that is suspicious: in any way, or, of a user's archive, harmful.
    """
    infos = file.infolist()
    if len(infos) > limits.files:
        raise _Refusal(f"{len(infos):,} entries are more than the {limits.files:,} allowed")
    found: dict[str, _Entry] = {}
    total = 0
    for info in infos:
        name = _users_name(info) if of_user else info.filename
        elsewhere = _leads_elsewhere({name, info.filename, info.orig_filename})
        bomb = _bomb(info, limits)
        odd = (None if of_user else _odd_name(info)) or _odd_kind(info, name) or _odd_size(info, name, limits)
        if name in found:
            odd = odd or "occurs twice"
        if wrong := elsewhere or (None if of_user else odd) or bomb:
            raise _Refusal(f"entry {shown(info.orig_filename)} {wrong}")
        found[name] = _Entry(name, info, odd)
        total += info.file_size
    if total > limits.total_bytes:
        raise _Refusal(f"{total:,} bytes unpacked are more than the {limits.total_bytes:,} allowed")
    _check_overlaps(file, infos, encoding="cp437" if of_user else "utf-8")
    return [entry for entry in found.values() if not entry.name.endswith("/")]


def _users_name(info: zipfile.ZipInfo) -> str:
    """Return a name as it was meant, with slashes between its parts.

    Where nothing says that it is UTF-8, it is all the same if it can be (macOS), and else in DOS's encoding,
    as `zipfile` has read it.
    """
    name = info.filename
    if not info.flag_bits & _UTF8 and name == info.orig_filename:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/" * name.startswith("/") + "/".join(parts) + "/" * name.endswith(("/", "/."))


def _leads_elsewhere(names: set[str]) -> str | None:
    for name in names:
        if name.startswith("/") or _DRIVE.match(name):
            return "has an absolute path"
        if ".." in name.removesuffix("/").split("/"):
            return "leads out of the archive"
    return None


def _bomb(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    if info.file_size > limits.ratio * info.compress_size:
        return f"grows more than {limits.ratio}-fold when unpacked, like a decompression bomb"
    return None


def _odd_name(info: zipfile.ZipInfo) -> str | None:
    # zipfile cuts a name at its first null byte and may take another from an extra field: look at both.
    for name in {info.orig_filename, info.filename}:
        parts = name.removesuffix("/").split("/")
        faults = {
            "has a name with control characters": not name.isprintable(),
            f"has a name of more than {_LONGEST_NAME:,} characters": len(name) > _LONGEST_NAME,
            "has a backslash in its name": "\\" in name,
            "has an empty part in its path": "" in parts or "." in parts,
        }
        for fault, present in faults.items():
            if present:
                return fault
    return None


def _odd_kind(info: zipfile.ZipInfo, name: str) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    # Many programs leave the kind out (0).
    if kind not in ((0, stat.S_IFDIR) if name.endswith("/") else (0, stat.S_IFREG)):
        return "is a special file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is packed by an unusual method ({info.compress_type})"
    return None


def _odd_size(info: zipfile.ZipInfo, name: str, limits: Limits) -> str | None:
    if name.endswith("/") and info.file_size:
        return "is a folder with content"
    if info.file_size > limits.file_bytes:
        return f"unpacks to {info.file_size:,} bytes, more than the {limits.file_bytes:,} allowed"
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        return "declares two different sizes"
    return None


def _check_overlaps(file: zipfile.ZipFile, entries: list[zipfile.ZipInfo], encoding: str) -> None:
    # Entries that share bytes are how 10 MB become 281 TB (Fifield 2019, "A better zip bomb", section 3).
    # Python 3.11.8 and later refuse them too, but only when an entry is read.
    end, previous = 0, None
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            wrong = f"overlaps entry {shown(previous.filename)}" if previous else "begins before the file"
            raise _Refusal(f"entry {shown(entry.filename)} {wrong}")
        name_bytes = len(entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8 else encoding))
        end, previous = entry.header_offset + _LOCAL_HEADER + name_bytes + entry.compress_size, entry
    if previous and end > file.start_dir:
        raise _Refusal(f"entry {shown(previous.filename)} overlaps the table of contents")
