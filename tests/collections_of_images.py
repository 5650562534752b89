"""Collections for tests: the same images as loose files and in every kind of shard."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pictures import encoded, picture


def pictures(numbers: Iterable[int]) -> dict[str, bytes]:
    """Return JPEGs by name."""
    return {f"{number:04}.jpg": encoded(picture(number, 40, 30)) for number in numbers}


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a tar archive, packed as its name ends."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(packed.getvalue()))
    return path


def in_parquet(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a Parquet file as Hugging Face keeps images."""
    column = [{"bytes": data, "path": name} for name, data in files.items()]
    pq.write_table(pa.table({"image": column, "label": [0] * len(column)}), path, row_group_size=4)
    return path


def loose(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
