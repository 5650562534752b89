"""Manifests: one listing of a collection, a Parquet file whose row groups are the shards of loose images."""

import codecs
import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.use.collection import addresses
from deepfake_ensemble.use.collection.addresses import ListedFile, Missing
from deepfake_ensemble.use.collection.shards import MANIFEST, Shard, kind_by_name, rows
from deepfake_ensemble.use.recognising import passed_over

PER_SHARD = 10_000
"""Loose images that make a shard."""

OWN = "file of the output"
"""What `listed` counts the files as that the command itself has written."""

_SCHEMA = pa.schema(zip(MANIFEST, (pa.string(), pa.int64(), pa.string(), pa.binary()), strict=True))
_PARQUET = b"PAR1"


def listed(
    named: Iterable[str], written: str, passed: Counter[str], missing: list[str]
) -> Iterator[ListedFile]:
    """Yield the images and shards at addresses and below them, in order.

    Args:
        named: files, folders and patterns.
        written: the address of a file or folder that the command itself writes, which is passed over.
        passed: counts, by kind, the files that are neither, and as `OWN` those of `written`.
        missing: gets a line for each address where there is nothing.

    Raises:
        StorageFault: if an address cannot be listed.
    """
    own = addresses.absolute(written).rstrip("/")
    for address in named:
        try:
            for file, parts in addresses.listing(address):
                if file.address == own or file.address.startswith(f"{own}/"):
                    passed[OWN] += 1
                    continue
                kind = passed_over(parts)
                shard = kind in ("archive", "other file") and kind_by_name(parts[-1])
                if kind is None or shard:
                    yield file
                else:
                    passed[kind] += 1
        except Missing as error:
            missing.append(str(error))


def from_text(address: str) -> Iterator[ListedFile]:
    """Yield the files that a list names, one a line; where these are relative, seen from the working folder.

    Raises:
        UserError: if a line is an address that nothing here has a client for.
        Missing: if the list is not there.
        StorageFault: if it cannot be read.
    """
    clients: set[str] = set()
    for number, line in enumerate(_decoded(addresses.read(address)).split("\n"), 1):
        if line.strip():
            path = line.removesuffix("\r")
            _require_client(path, f"{address}: line {number}", clients)
            yield ListedFile(addresses.absolute(path), None, "")


def _decoded(text: bytes) -> str:
    """Return a text of UTF-8, or of UTF-16 that says so; other bytes as Python has them in names of files."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16", "replace")
    return text.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _require_client(path: str, place: str, clients: set[str]) -> None:
    """Make sure, for the first address of each protocol, that there is a client.

    Raises:
        UserError: if there is none, naming the place.
    """
    protocol, remote, _ = path.partition("://")
    if remote and protocol not in clients:
        try:
            addresses.storage(path)
        except UserError as error:
            raise UserError(f"{place}: {error}") from None
        clients.add(protocol)


def write(file: Path, files: Iterable[ListedFile], per_shard: int = PER_SHARD) -> int:
    """Write a manifest, and return how many files are in it; one shard's are held at a time.

    Args:
        file: of this computer.
        files: in the order they shall have.
        per_shard: how many loose images make a shard.
    """
    remaining, written = iter(files), 0
    with file.open("wb") as place, pq.ParquetWriter(place, _SCHEMA, compression="zstd") as writer:
        while some := list(islice(remaining, per_shard)):
            columns = [
                [addresses.shown(each.address) for each in some],
                [each.size for each in some],
                [each.version for each in some],
                [_bytes_of(each.address) for each in some],
            ]
            writer.write_table(pa.table(columns, schema=_SCHEMA), row_group_size=per_shard)
            written += len(some)
    return written


def _bytes_of(path: str) -> bytes | None:
    """Return the bytes of a path that is no UTF-8; None of others."""
    return None if path == addresses.shown(path) else path.encode("utf-8", "surrogateescape")


def keep(output: str, files: Iterable[ListedFile], per_shard: int = PER_SHARD) -> str:
    """Write a manifest below an output's address, named by its content, and return its address."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.parquet"
        write(file, files, per_shard)
        address = addresses.joined(output, "manifests", f"{sha256(file)[:12]}.parquet")
        with addresses.replacing(address) as place:
            shutil.copyfile(file, place)
    return address


def is_text(address: str) -> bool:
    """Tell a list of paths in plain text from a manifest."""
    return addresses.beginning(address, len(_PARQUET)) != _PARQUET


def shards(address: str) -> Iterator[Shard]:
    """Yield the shards of a manifest: files of its that are shards, and row groups with loose images.

    Raises:
        Missing: if it is not there.
        StorageFault: if it cannot be read.
        UserError: if it is no manifest, or has a path that is relative or that nothing here has a client for.
    """
    clients: set[str] = set()
    with addresses.reading(address) as file:
        try:
            manifest = pq.ParquetFile(file)
        except pa.ArrowInvalid as error:
            raise UserError(f"{address}: no manifest: {addresses.one_line(error)}") from None
        if "path" not in manifest.schema_arrow.names:
            raise UserError(
                f"{address}: no manifest, for there is no column path; `list-collection` writes one"
            )
        numbers = count(1)
        for group in range(manifest.num_row_groups):
            loose = []
            for path, size, version in rows(manifest, group):
                place = f"{address}: row {next(numbers)}"
                _require_client(path, place, clients)
                if "://" not in path and not path.startswith("/"):
                    raise UserError(
                        f"{place}: {path}: a relative path, which means nothing to a worker elsewhere; write"
                        " absolute ones, or a text with a path a line"
                    )
                if kind := kind_by_name(path):
                    yield Shard(path, kind, size, version)
                else:
                    loose.append((path, size, version))
            if loose:
                sizes = [size for _, size, _ in loose]
                total = None if None in sizes else sum(size or 0 for size in sizes)
                version = hashlib.sha256(json.dumps(loose).encode()).hexdigest()
                yield Shard(address, "files", total, version, group)
