"""The archives of public collections, rebuilt from their descriptions: none is unpacked.

- J. Wilk, path-traversal-samples: archives that write through `..`, absolute paths and symbolic links.
- Snyk, zip-slip-vulnerability: an innocent file beside one that climbs out, for Unix and for Windows.
- D. Fifield, A better zip bomb (WOOT 2019): files that overlap, by a shared one or by quoted headers.
- 42.zip: archives in archives.
"""

import io
import random
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from deepfake_ensemble.archives.archive import open_archive
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.foundation.errors import UserError
from errors_page import Documented

CONTENT = b"moo\n"


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3  # Unix, whose modes stand in the upper half
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


def local_header(name: bytes, packed: int, size: int, crc: int) -> bytes:
    return (
        struct.pack("<4sHHHHHLLLHH", b"PK\x03\x04", 20, 0, 8, 0, 0x21, crc, packed, size, len(name), 0) + name
    )


def directory(files: list[tuple[bytes, int, int, int, int]], at: int) -> bytes:
    """Return a table of contents that begins at byte `at`: of name, packed size, size, checksum, offset."""
    entries = b"".join(
        struct.pack(
            "<4sHHHHHHLLLHHHHHLL",
            *(b"PK\x01\x02", 20, 20, 0, 8, 0, 0x21, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset),
        )
        + name
        for name, packed, size, crc, offset in files
    )
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, len(files), len(files), len(entries), at, 0)
    return entries + end


def kernel(size: int) -> tuple[bytes, bytes]:
    """Return deflated content and the content; it does not shrink, or the ratio would give it away first."""
    content = random.Random(1).randbytes(size)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(content) + compressor.flush(), content


def full_overlap(count: int = 50) -> bytes:
    """Every entry of the table of contents is the same file."""
    packed, content = kernel(60_000)
    body = local_header(b"0.jpg", len(packed), len(content), zlib.crc32(content)) + packed
    entry = (b"0.jpg", len(packed), len(content), zlib.crc32(content), 0)
    files = [(f"{k}.jpg".encode(), *entry[1:]) for k in range(count)]
    return body + directory(files, len(body))


def quoted_overlap(count: int = 50) -> bytes:
    """Each file quotes the header of the next in a stored block, and goes on with what the next one holds."""
    packed, content = kernel(60_000)
    body, files = b"", []
    for k in reversed(range(count)):
        name = f"{k:02}.jpg".encode()
        header = local_header(name, len(packed), len(content), zlib.crc32(content))
        files.append((name, len(packed), len(content), zlib.crc32(content), len(packed)))
        quoted = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF)
        body = header + packed
        packed, content = quoted + body, header + content
    at = len(body)
    return body + directory([(*file[:4], at - file[4] - 30 - len(file[0])) for file in reversed(files)], at)


def nested(depth: int = 3) -> bytes:
    archive = zipped(("0.dll", bytes(1_000)))
    for level in range(depth):
        archive = zipped(*((f"lib {k}.{level}.zip", archive) for k in range(4)))
    return archive


COLLECTION = {
    "absolute1": zipped(("/tmp/moo", CONTENT)),
    "absolute2": zipped(("//tmp/moo", CONTENT)),
    "relative0": zipped(("moo/../../moo", CONTENT)),
    "relative2": zipped(("../../tmp/moo", CONTENT)),
    "symlink": zipped(link("moo", "/tmp/moo")),
    "dirsymlink": zipped(link("tmp", "/tmp"), ("tmp/moo", CONTENT)),
    "dirsymlink2a": zipped(link("cur", "."), link("par", "cur/.."), ("par/moo", CONTENT)),
    "dirsymlink2b": zipped(link("cur", "."), link("cur/par", ".."), ("par/moo", CONTENT)),
    "zip-slip": zipped(("good.txt", CONTENT), ("../" * 40 + "tmp/evil.txt", CONTENT)),
    "zip-slip-win": zipped(("good.txt", CONTENT), ("..\\" * 40 + "Temp\\evil.txt", CONTENT)),
    "bomb, one file listed often": full_overlap(),
    "bomb, quoted headers": quoted_overlap(),
}


@pytest.mark.parametrize("name", COLLECTION)
def test_each_is_refused_from_its_table_of_contents(
    name: str, tmp_path: Path, documented: Documented
) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(COLLECTION[name])
    with pytest.raises(UserError) as refusal, open_archive(path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["set.zip"]
    documented("Archives", f"the public sample {name}", str(refusal.value))


@pytest.mark.parametrize("make", [full_overlap, quoted_overlap])
def test_the_bombs_are_such_as_other_programs_unpack(make) -> None:
    with zipfile.ZipFile(io.BytesIO(make(3))) as file:
        first = file.infolist()[0]
        assert first.file_size >= 60_000
        try:
            content = file.read(first)
        except zipfile.BadZipFile as error:  # newer versions of Python look for overlaps too
            assert "verlap" in str(error)
        else:
            assert len(content) == first.file_size


def test_archives_within_archives_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(nested())
    with open_archive(path) as archive:
        assert "has no place in the layout" in (LAYOUTS["cifake"].problem(archive.names) or "")
