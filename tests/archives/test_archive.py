"""Archives are untrusted: what is refused, in which words, and that the rest comes out as it went in."""

import io
import stat
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepfake_ensemble.archives.archive import Limits, open_archive
from deepfake_ensemble.foundation.errors import UserError
from errors_page import Documented

CONTENT = bytes(range(256)) * 4
CENTRAL = b"PK\x01\x02"  # signature of an entry in the table of contents
SMALL = Limits(files=5, file_bytes=10_000, total_bytes=25_000, ratio=20)


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as file:
        warnings.simplefilter("ignore")  # zipfile warns of the duplicate names that we want
        for name, content in entries:
            file.writestr(name, content, compress_type=method)
    return buffer.getvalue()


def info(name: str, mode: int = 0) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def patched(archive: bytes, offset: int, layout: str, value: int, entry: int = 0) -> bytes:
    """Overwrite a number in the table of contents, at `offset` within the given entry."""
    at = -1
    for _ in range(entry + 1):
        at = archive.index(CENTRAL, at + 1)
    data = bytearray(archive)
    struct.pack_into(layout, data, at + offset, value)
    return bytes(data)


ONE = zipped(("a.jpg", CONTENT))
TWO = zipped(("a.jpg", CONTENT), ("b.jpg", CONTENT))
PUBLISHER = "use the publisher's own archive"

# name of the case → the file's bytes, the message after the path
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a zip archive; fetch it again from its publisher"),
    "not a zip": (b"<html>Not found</html>", "not a zip archive; fetch it again from its publisher"),
    "truncated": (ONE[:-30], "the zip archive is truncated or damaged; fetch the archive again"),
    "beginning lost": (TWO[100:], f"entry 'a.jpg' begins before the file; {PUBLISHER}"),
    "encrypted": (patched(ONE, 8, "<H", 1), f"entry 'a.jpg' is encrypted; {PUBLISHER}"),
    "unusual method": (
        zipped(("a.jpg", CONTENT), method=zipfile.ZIP_LZMA),
        f"entry 'a.jpg' is packed by an unusual method (14); {PUBLISHER}",
    ),
    "parent folder": (zipped(("x/../../a", b"")), f"entry 'x/../../a' leads out of the archive; {PUBLISHER}"),
    "absolute path": (zipped(("/etc/passwd", b"")), f"entry '/etc/passwd' has an absolute path; {PUBLISHER}"),
    "drive letter": (zipped(("C:a.jpg", b"")), f"entry 'C:a.jpg' has an absolute path; {PUBLISHER}"),
    "backslash": (zipped(("..\\a", b"")), f"entry '..\\\\a' has a backslash in its name; {PUBLISHER}"),
    "empty part": (zipped(("a//b", b"")), f"entry 'a//b' has an empty part in its path; {PUBLISHER}"),
    "this folder": (zipped(("./a", b"")), f"entry './a' has an empty part in its path; {PUBLISHER}"),
    "no name": (
        patched(patched(ONE, 28, "<H", 0), 32, "<H", 5),
        f"entry '' has an empty part in its path; {PUBLISHER}",
    ),
    "symbolic link": (
        zipped((info("a.jpg", stat.S_IFLNK | 0o777), b"/etc/passwd")),
        f"entry 'a.jpg' is a link; {PUBLISHER}",
    ),
    "device": (zipped((info("a.jpg", stat.S_IFCHR), b"")), f"entry 'a.jpg' is a special file; {PUBLISHER}"),
    "pipe": (zipped((info("a.jpg", stat.S_IFIFO), b"")), f"entry 'a.jpg' is a special file; {PUBLISHER}"),
    "link named like a folder": (
        zipped((info("a/", stat.S_IFLNK), b"")),
        f"entry 'a/' is a link; {PUBLISHER}",
    ),
    "folder with content": (zipped(("a/", b"x")), f"entry 'a/' is a folder with content; {PUBLISHER}"),
    "duplicate": (zipped(("a", b"1"), ("a", b"2")), f"entry 'a' occurs twice; {PUBLISHER}"),
    "line break": (
        zipped(("a\nb.jpg", b"")),
        f"entry 'a\\nb.jpg' has a name with control characters; {PUBLISHER}",
    ),
    "null byte": (
        zipped(("aXb.jpg", b"")).replace(b"aXb", b"a\0b"),
        f"entry 'a\\x00b.jpg' has a name with control characters; {PUBLISHER}",
    ),
    "text direction": (
        zipped(("a\u202egpj.exe", b"")),
        f"entry 'a\\u202egpj.exe' has a name with control characters; {PUBLISHER}",
    ),
    "not UTF-8": (
        zipped(("aXb.jpg", b"")).replace(b"aXb", b"a\xffb"),
        f"the name b'a\\xffb.jpg' is not UTF-8; {PUBLISHER}",
    ),
    "falsely declared UTF-8": (
        zipped(("é.jpg", b"")).replace("é".encode(), b"\xff\xfe"),
        f"the name b'\\xff\\xfe.jpg' is not UTF-8; {PUBLISHER}",
    ),
    "endless name": (
        zipped(("x" * 1_001, b"")),
        f"entry '{'x' * 120}...' has a name of more than 1,000 characters; {PUBLISHER}",
    ),
    "too many files": (
        zipped(*((f"{i}", b"") for i in range(6))),
        f"6 entries are more than the 5 allowed; {PUBLISHER}",
    ),
    "endless table of contents": (
        zipped(*((f"{i}" * 500, b"") for i in range(1, 25))),
        f"its table of contents is too long for 5 files; {PUBLISHER}",
    ),
    "large file": (
        zipped(("a.jpg", b"x" * 10_001)),
        f"entry 'a.jpg' unpacks to 10,001 bytes, more than the 10,000 allowed; {PUBLISHER}",
    ),
    "large in sum": (
        zipped(*((f"{i}", b"x" * 9_000) for i in range(3))),
        f"27,000 bytes unpacked are more than the 25,000 allowed; {PUBLISHER}",
    ),
    "decompression bomb": (
        zipped(("a.jpg", bytes(10_000)), method=zipfile.ZIP_DEFLATED),
        f"entry 'a.jpg' grows more than 20-fold when unpacked, like a decompression bomb; {PUBLISHER}",
    ),
    "two sizes": (patched(ONE, 24, "<I", 1_000), f"entry 'a.jpg' declares two different sizes; {PUBLISHER}"),
    "shared bytes": (
        patched(TWO, 42, "<I", 0, entry=1),
        f"entry 'b.jpg' overlaps entry 'a.jpg'; {PUBLISHER}",
    ),
    "quoted header": (
        patched(patched(TWO, 20, "<I", 1_500), 24, "<I", 1_500),
        f"entry 'b.jpg' overlaps entry 'a.jpg'; {PUBLISHER}",
    ),
    "content in the table of contents": (
        patched(patched(ONE, 20, "<I", 1_100), 24, "<I", 1_100),
        f"entry 'a.jpg' overlaps the table of contents; {PUBLISHER}",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_line(case: str, tmp_path: Path, documented: Documented) -> None:
    content, message = HOSTILE[case]
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal, open_archive(path, SMALL):
        pass
    assert str(refusal.value) == f"{path}: {message}"
    documented("Archives", case, str(refusal.value))


def lying_about_its_size() -> bytes:
    """Declare 1,000 of 9,000 deflated bytes, with the checksum of those 1,000."""
    archive = zipped(("a.jpg", b"ab" * 4_500), method=zipfile.ZIP_DEFLATED)
    return patched(patched(archive, 24, "<I", 1_000), 16, "<I", zlib.crc32(b"ab" * 499))


# name of the case → the file's bytes, the message after the path
DAMAGED: dict[str, tuple[bytes, str]] = {
    "wrong checksum": (ONE.replace(CONTENT, bytes(1024)), "entry 'a.jpg' fails its checksum"),
    "broken stream": (
        zipped(("a.jpg", CONTENT), method=zipfile.ZIP_DEFLATED).replace(
            zlib.compress(CONTENT, wbits=-15)[:20], b"\xff" * 20
        ),
        "entry 'a.jpg' cannot be unpacked",
    ),
    "another name in front of the content": (
        ONE.replace(b"a.jpg", b"b.jpg", 1),
        "entry 'a.jpg' cannot be unpacked",
    ),
    "no header in front of the content": (b"xx" + ONE[2:], "entry 'a.jpg' cannot be unpacked"),
    "shorter than declared": (
        patched(zipped(("a.jpg", CONTENT), method=zipfile.ZIP_DEFLATED), 24, "<I", 2_000),
        "entry 'a.jpg' is shorter than declared",
    ),
    "longer than declared": (lying_about_its_size(), "entry 'a.jpg' fails its checksum"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_entry_is_refused_when_it_is_read(
    case: str, tmp_path: Path, documented: Documented
) -> None:
    content, message = DAMAGED[case]
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    with open_archive(path) as archive, pytest.raises(UserError) as refusal:
        archive.read("a.jpg")
    assert str(refusal.value) == f"{path}: {message}; fetch the archive again"
    documented("Archives", case, str(refusal.value))


def test_a_missing_archive_and_a_folder_are_named(tmp_path: Path, documented: Documented) -> None:
    path = tmp_path / "set.zip"
    with pytest.raises(UserError) as refusal, open_archive(path):
        pass
    assert str(refusal.value) == f"{path}: there is no such archive; run the download stage or put it there"
    documented("Archives", "missing", str(refusal.value))
    path.mkdir()
    with pytest.raises(UserError) as refusal, open_archive(path):
        pass
    assert str(refusal.value) == f"{path}: the archive cannot be read (Is a directory)"
    documented("Archives", "a folder in its place", str(refusal.value))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_went_in_comes_out(method: int, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(("b/é.jpg", CONTENT), ("b/", b""), ("a.csv", b""), method=method))
    with open_archive(path) as archive:
        assert archive.names == ("a.csv", "b/é.jpg")
        assert archive.stored_order == ("b/é.jpg", "a.csv")
        assert [archive.size(name) for name in archive.names] == [0, 1024]
        assert [archive.read(name) for name in archive.names] == [b"", CONTENT]


def test_an_entry_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(ONE)
    with open_archive(path) as archive, pytest.raises(UserError) as refusal:
        archive.read("z.jpg")
    assert str(refusal.value) == (
        f"{path}: there is no entry 'z.jpg'; fetch the archive that belongs to this run"
    )


def test_more_files_than_the_old_zip_format_counts_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(*((f"{i:05}.jpg", b"") for i in range(70_000))))
    with open_archive(path) as archive:
        assert len(archive.names) == 70_000


def read_all(path: Path) -> dict[str, bytes]:
    with open_archive(path) as archive:
        return {name: archive.read(name) for name in archive.names}


def test_an_archive_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    for length in range(len(TWO)):
        path.write_bytes(TWO[:length])
        with pytest.raises(UserError):
            read_all(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(st.integers(0, 10_000), st.integers(0, 255), min_size=1, max_size=6),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_whatever_is_damaged_the_content_is_right_or_refused(
    changes: dict[int, int], method: int, tmp_path: Path
) -> None:
    data = bytearray(zipped(("a.jpg", CONTENT), ("b/c.jpg", b"xyz" * 50), method=method))
    for position, value in changes.items():
        data[position % len(data)] = value
    path = tmp_path / "set.zip"
    path.write_bytes(data)
    try:
        contents = read_all(path)
    except UserError as refusal:
        assert str(refusal).isprintable()
    else:
        # A name may have changed, or an entry have become a folder; contents are vouched for by checksums.
        assert set(contents.values()) <= {CONTENT, b"xyz" * 50, b""}
