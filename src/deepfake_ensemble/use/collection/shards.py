"""Shards: parts of a collection that are read from beginning to end, one after another.

An archive, a Parquet file, or so many lines of a manifest of loose images. A shard that is damaged is told
from one that is missing, and both from a fault of what it lies on.
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zlib
from collections import Counter, deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake_ensemble.archives.archive import open_archive
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.images import BadImage
from deepfake_ensemble.use.collection import addresses
from deepfake_ensemble.use.collection.addresses import Missing
from deepfake_ensemble.use.inputs import (
    ARCHIVE_LIMITS,
    LARGEST,
    StorageFault,
    bounded,
    entry_bytes,
    file_bytes,
)
from deepfake_ensemble.use.recognising import passed_over

Kind: TypeAlias = Literal["zip", "tar", "parquet", "files"]

_KINDS: dict[str, Kind] = {
    ".zip": "zip",
    ".parquet": "parquet",
    **dict.fromkeys((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"), "tar"),
}
_PATHS = ("path", "file_name", "filename", "__key__", "key", "name", "url")  # columns that name an image
_READ_AT_ONCE = 16  # loose images, from storages that answer slowly
_DAMAGE = (
    *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, UnicodeError),
    *(pa.ArrowException, ValueError, KeyError),
)

Entry: TypeAlias = tuple[str, Callable[[], bytes]]
"""An image's name and how it is read, which must be before the next entry is asked for."""


class Damaged(Exception):
    """A shard that cannot be read to its end, or is no such file. The message is one line."""


@dataclass(frozen=True)
class Shard:
    """A part of a collection.

    Attributes:
        address: of the archive, the Parquet file or the manifest.
        kind: what it is.
        size: of the archive, or of the images of a manifest, in bytes; None if that is not known.
        version: what changes with its content.
        group: which row group of a manifest; None of all else.
    """

    address: str
    kind: Kind
    size: int | None
    version: str
    group: int | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return "images" if self.kind == "files" else PurePosixPath(self.address).name

    @property
    def digest(self) -> str:
        """What tells it from all others, and from itself with another content.

        Loose images are the same in whatever manifest.
        """
        known = [self.version] if self.kind == "files" else [self.address, self.size, self.version]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def kind_by_name(name: str) -> Kind | None:
    """Return what kind of shard a file is by its name's ending; None if it is none."""
    return next((kind for suffix, kind in _KINDS.items() if name.lower().endswith(suffix)), None)


def images(
    shard: Shard,
    file: Path,
    *,
    column: str | None,
    passed: Counter[str],
    chosen: Container[int] | None = None,
) -> Iterator[tuple[str, bytes | BadImage]]:
    """Yield the images of a shard, in its order: name, and bytes, or why there are none.

    Args:
        shard: the shard.
        file: of this computer, with its content.
        column: of a Parquet file, that holds the images; None where there is but one that can.
        passed: counts, by kind, the files that are no images.
        chosen: which images are wanted, counted from 0; all by default.

    Raises:
        Damaged: if the shard cannot be read to its end.
        Missing: if it is not there.
        StorageFault: if what it lies on fails.
    """
    with _told(shard, file):
        entries = _entries(shard, file, column, passed)
        wanted = (entry for number, entry in enumerate(entries) if chosen is None or number in chosen)
        if shard.kind == "files":
            yield from _read_ahead(wanted)
            return
        for name, read in wanted:
            yield name, _attempt(read)


def count(shard: Shard, file: Path, column: str | None) -> int:
    """Return how many images a shard has, without reading them where it can be told.

    Raises:
        As `images`.
    """
    with _told(shard, file):
        return sum(1 for _ in _entries(shard, file, column, Counter()))


def _entries(shard: Shard, file: Path, column: str | None, passed: Counter[str]) -> Iterator[Entry]:
    if shard.kind == "files":
        return _of_manifest(shard.address, shard.group or 0)
    if shard.kind == "parquet":
        return _of_parquet(file, column)

    def taken(name: str) -> bool:
        kind = passed_over(PurePosixPath(name).parts or (name,))
        passed.update([kind] if kind else [])
        return kind is None

    return _of_zip(file, taken) if shard.kind == "zip" else _of_tar(file, taken)


@contextmanager
def _told(shard: Shard, file: Path) -> Iterator[None]:
    """Say of an error in reading a shard whose fault it is."""
    try:
        yield
    except (BadImage, MemoryError):
        raise
    except FileNotFoundError:
        raise Missing(f"{shard.address}: there is no such file") from None
    except OSError as error:
        if error.errno:  # the system's; decoders of archives raise it too, for what they find
            raise StorageFault(f"{shard.address}: {(error.strerror or str(error)).lower()}") from error
        raise Damaged(f"{shard.address}: damaged: {addresses.one_line(error)}") from error
    except UserError as error:
        raise Damaged(f"{shard.address}: {str(error).removeprefix(f'{file}: ')}") from error
    except _DAMAGE as error:
        raise Damaged(f"{shard.address}: damaged: {addresses.one_line(error)}") from error


def _attempt(read: Callable[[], bytes]) -> bytes | BadImage:
    try:
        return read()
    except BadImage as bad:
        return bad


def _read_ahead(entries: Iterator[Entry]) -> Iterator[tuple[str, bytes | BadImage]]:
    with ThreadPoolExecutor(_READ_AT_ONCE, thread_name_prefix="read") as pool:
        ahead = deque((name, pool.submit(_attempt, read)) for name, read in islice(entries, _READ_AT_ONCE))
        while ahead:
            name, reading = ahead.popleft()
            ahead.extend((each, pool.submit(_attempt, read)) for each, read in islice(entries, 1))
            yield name, reading.result()


def _of_zip(file: Path, taken: Callable[[str], bool]) -> Iterator[Entry]:
    try:
        with open_archive(file, ARCHIVE_LIMITS, of_user=True) as archive:
            for name in filter(taken, archive.stored_order):
                yield name, partial(entry_bytes, archive, name)
    except UserError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise


class _Blocks(io.BufferedReader):
    """What a tar archive is read from; it refuses what only a forged header asks for, and keeps the last."""

    last = b""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= LARGEST:
            raise tarfile.ReadError("a header is longer than any image")
        self.last = super().read(size)
        return self.last


def _of_tar(file: Path, taken: Callable[[str], bool]) -> Iterator[Entry]:
    with _unpacked(file) as blocks, tarfile.open(fileobj=blocks, mode="r:") as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would remember every one
            if member.isfile() and taken(member.name):
                yield member.name, partial(_of_member, tar, member)
        if len(blocks.last) < tarfile.BLOCKSIZE or blocks.last.strip(b"\0"):
            raise tarfile.ReadError("it breaks off before its end mark")


def _of_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LARGEST:
        raise BadImage(f"larger than {LARGEST // 2**20} MiB")
    content = tar.extractfile(member)
    if content is None:
        raise BadImage("not a file")
    with content:
        return content.read()


def _unpacked(file: Path) -> _Blocks:
    with file.open("rb") as raw:
        beginning = raw.read(6)
    for sign, opened in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if beginning.startswith(sign):
            return _Blocks(opened(file))
    return _Blocks(io.FileIO(file))


def _of_parquet(file: Path, column: str | None) -> Iterator[Entry]:
    # Opened here, as Arrow knows no file whose name is not UTF-8. Without buffer_size and pre_buffer a whole
    # row group would be held, and read at once.
    with file.open("rb") as raw, pq.ParquetFile(raw, buffer_size=2**20, pre_buffer=False) as parquet:
        schema = parquet.schema_arrow
        image = column or _image_column(schema)
        if image not in schema.names:
            raise ValueError(f"there is no column {image}; it has {', '.join(schema.names)}")
        if not _holds_bytes(schema.field(image).type):
            raise ValueError(f"its column {image} holds no bytes, but {schema.field(image).type}")
        path = next(
            (name for name in _PATHS if name in schema.names and _is_text(schema.field(name).type)), None
        )
        number = 0
        for batch in parquet.iter_batches(32, columns=[image, *([path] if path else [])]):
            schema = pa.schema([(field.name, _as_bytes(field.type)) for field in batch.schema])
            for row in batch.cast(schema).to_pylist():
                cell = row[image] if isinstance(row[image], dict) else {"bytes": row[image]}
                name = (path and row[path]) or cell.get("path") or f"row {number}"
                yield _text(name), partial(_of_cell, cell.get("bytes"))
                number += 1


def _is_text(of: pa.DataType) -> bool:
    return pa.types.is_string(of) or pa.types.is_large_string(of)


def _as_bytes(of: pa.DataType) -> pa.DataType:
    """Return a type with bytes in the place of text, which may be no UTF-8 whatever its column says."""
    if pa.types.is_struct(of):
        return pa.struct([(field.name, _as_bytes(field.type)) for field in of])
    return pa.large_binary() if _is_text(of) else of


def _text(name: Any) -> str:
    """Return a name; bytes of it that are no UTF-8 as Python has them in names of files."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)


def _image_column(schema: pa.Schema) -> str:
    """Return the column that holds images."""
    found = [field.name for field in schema if _holds_bytes(field.type)]
    if "image" in found or len(found) == 1:
        return "image" if "image" in found else found[0]
    raise ValueError(
        f"which column holds the images? --image-column names it; of bytes there are {', '.join(found)}"
        if found
        else f"no column of it holds bytes; it has {', '.join(schema.names)}"
    )


def _holds_bytes(of: pa.DataType) -> bool:
    """Tell whether a column is of bytes, or of a structure with some, as Hugging Face keeps images."""
    if pa.types.is_struct(of):
        index = of.get_field_index("bytes")
        return index >= 0 and _holds_bytes(of.field(index).type)
    return pa.types.is_binary(of) or pa.types.is_large_binary(of)


def _of_cell(data: bytes | None) -> bytes:
    if data is None:
        raise BadImage("there are no bytes in its row")
    return bounded(data)


def _of_manifest(address: str, group: int) -> Iterator[Entry]:
    with addresses.reading(address) as file, pq.ParquetFile(file) as manifest:
        loose = [row for row in rows(manifest, group) if kind_by_name(row[0]) is None]
    for path, size, version in loose:
        yield path, partial(_of_file, path, size, bool(version))


MANIFEST = ("path", "size", "version", "path_bytes")
"""Columns of a manifest. All but the first may be missing; the last is of paths that are no UTF-8."""


def rows(manifest: pq.ParquetFile, group: int) -> list[tuple[str, int | None, str]]:
    """Return a row group of a manifest: path, size and version of each file; these two if they are told."""
    there = [name for name in MANIFEST if name in manifest.schema_arrow.names]
    table = manifest.read_row_group(group, there)
    schema = pa.schema([(field.name, _as_bytes(field.type)) for field in table.schema])
    values = table.cast(schema).to_pydict()
    nothing = [None] * len(table)
    columns: list[Sequence[Any]] = [values.get(name, nothing) for name in MANIFEST]
    return [
        (_text(raw or path), size, _text(version or ""))
        for path, size, version, raw in zip(*columns, strict=True)
    ]


def _of_file(address: str, size: int | None, listed: bool) -> bytes:
    try:
        if (path := addresses.local_path(address)) is not None:
            return file_bytes(Path(path), listed=listed)
        if size is None:
            return bounded(addresses.beginning(address, LARGEST + 1))
        if size > LARGEST:
            raise BadImage(f"larger than {LARGEST // 2**20} MiB")
        return bounded(addresses.read(address))
    except Missing:
        raise BadImage("there is no such file") from None
    except UserError as error:  # this host has no client of such addresses
        raise StorageFault(str(error)) from None
