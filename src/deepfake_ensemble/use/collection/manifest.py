"""Manifests: one listing of a collection, a Parquet file whose row groups are the shards of loose images."""

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.use.collection import addresses
from deepfake_ensemble.use.collection.addresses import ListedFile, Missing
from deepfake_ensemble.use.collection.shards import Shard, kind_by_name, rows
from deepfake_ensemble.use.recognising import passed_over

PER_SHARD = 10_000
"""Loose images that make a shard."""

_SCHEMA = pa.schema([("path", pa.string()), ("size", pa.int64()), ("version", pa.string())])
_PARQUET = b"PAR1"


def listed(named: Iterable[str], passed: Counter[str], missing: list[str]) -> Iterator[ListedFile]:
    """Yield the images and shards at addresses and below them, in order.

    Args:
        named: files, folders and patterns.
        passed: counts, by kind, the files that are neither.
        missing: gets a line for each address where there is nothing.

    Raises:
        StorageFault: if an address cannot be listed.
    """
    for address in named:
        try:
            for file, parts in addresses.listing(address):
                kind = passed_over(parts)
                shard = kind in ("archive", "other file") and kind_by_name(parts[-1])
                if kind is None or shard:
                    yield file
                else:
                    passed[kind] += 1
        except Missing as error:
            missing.append(str(error))


def from_text(text: str) -> Iterator[ListedFile]:
    """Yield the files that a list names, one a line."""
    for line in text.splitlines():
        if line.strip():
            yield ListedFile(line.strip(), None, "")


def write(file: Path, files: Iterable[ListedFile], per_shard: int = PER_SHARD) -> int:
    """Write a manifest, and return how many files are in it; one shard's are held at a time.

    Args:
        file: of this computer.
        files: in the order they shall have.
        per_shard: how many loose images make a shard.
    """
    remaining, written = iter(files), 0
    with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        while some := list(islice(remaining, per_shard)):
            columns = [
                [each.address for each in some],
                [each.size for each in some],
                [each.version for each in some],
            ]
            writer.write_table(pa.table(columns, schema=_SCHEMA), row_group_size=per_shard)
            written += len(some)
    return written


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
    with addresses.reading(address) as file:
        return file.read(len(_PARQUET)) != _PARQUET


def shards(address: str) -> Iterator[Shard]:
    """Yield the shards of a manifest: files of its that are shards, and row groups with loose images.

    Raises:
        Missing: if it is not there.
        StorageFault: if it cannot be read.
        UserError: if it is no manifest.
    """
    with addresses.reading(address) as file:
        try:
            manifest = pq.ParquetFile(file)
        except pa.ArrowInvalid as error:
            raise UserError(f"{address}: no manifest: {addresses.one_line(error)}") from None
        if "path" not in manifest.schema_arrow.names:
            raise UserError(
                f"{address}: no manifest, for there is no column path; `list-collection` writes one"
            )
        for group in range(manifest.num_row_groups):
            loose = []
            for path, size, version in rows(manifest, group):
                if kind := kind_by_name(path):
                    yield Shard(path, kind, size, version)
                else:
                    loose.append((path, size, version))
            if loose:
                sizes = [size for _, size, _ in loose]
                total = None if None in sizes else sum(size or 0 for size in sizes)
                version = hashlib.sha256(json.dumps(loose).encode()).hexdigest()
                yield Shard(address, "files", total, version, group)
