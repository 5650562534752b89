"""What is no image is named by what it is, and what to do with it."""

import gzip
import io
import tarfile
import zipfile

import pytest

from deepfake_ensemble.use.recognising import counted, kind_of, passed_over
from pictures import encoded, picture


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"\xff\x0a\x00\x01", "a JPEG XL image: not read; save it as JPEG or PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0", "a JPEG XL image"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "a drawing (SVG)"),
        (b"  <svg viewBox='0 0 1 1'/>", "a drawing (SVG)"),
        (encoded(picture(1), "PPM"), "a Netpbm image"),
        (b"P3\n# made by hand\n1 1\n255\n1 2 3\n", "a Netpbm image"),
        (encoded(picture(1), "ICO"), "an icon"),
        (b"%PDF-1.7\n", "a PDF: not read"),
        (b"\0\0\0\x1cftypmp42\0\0\0\0", "a video: not read"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a raw photograph"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a raw photograph"),
        (b"\x1aE\xdf\xa3\x9fB\x86", "a video"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video"),
        ((b"G" + b"\0" * 187) * 3, "a video"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "a sound"),
        (b"ID3\x04", "a sound"),
        (b"7z\xbc\xaf'\x1c\0\4", "a 7z archive: unpack it"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive: unpack it"),
        (gzip.compress(b"x"), "a gzip archive"),
        (_tar(), "a tar archive"),
        (_zip("a.jpg"), "a zip archive: unpack it, or let `predict` open it under a name that ends in .zip"),
        (_zip("[Content_Types].xml", "word/document.xml"), "a document of an office program"),
        (b"\0\5\x16\7\0\2", "a side file of macOS"),
        (b"<!DOCTYPE html><html><body>404", "a web page"),
        (b"\xef\xbb\xbf<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b"\x7fELF\x02\x01", "a program"),
        (b"hello", "a text"),
        ("grüße\n".encode(), "a text"),
        (("x" * 4095 + "ü").encode(), "a text"),
        ("text".encode("utf-16"), "a text"),
        (b"\0" * 5_000, "nothing but zeros"),
        (b"\x9c\xfe\x01\x02\xf3" * 40, "of no kind that is known here: JPEG, PNG"),
    ],
)
def test_bytes_are_named_by_what_they_are(data, kind):
    said = kind_of(data)
    assert said.startswith(kind)
    assert "not an image" not in said and said.isprintable()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.jpg", None),
        ("A.HEIC", None),
        ("deep/er/a.JFIF", None),
        ("a.apng", None),
        ("a.jp2", None),
        ("._a.jpg", "file of macOS"),
        ("__MACOSX/deep/a.jpg", "file of macOS"),
        (".DS_Store", "file of macOS"),
        ("Icon\r", "file of macOS"),
        ("THUMBS.DB", "file of Windows"),
        ("@eaDir/a.jpg", "file of a network drive"),
        (".git/a.png", "hidden file"),
        ("a.mov", "video"),
        ("a.CR2", "raw photograph"),
        ("a.jxl", "image of another format"),
        ("a.zip", "archive"),
        ("README", "other file"),
        ("a.xyz", "other file"),
    ],
)
def test_what_lies_beside_images_is_told_from_them(path, kind):
    assert passed_over(tuple(path.split("/"))) == kind


def test_kinds_are_counted_in_words():
    assert (
        counted({"video": 3, "file of macOS": 1_200, "sound": 1}) == "1,200 files of macOS, 3 videos, 1 sound"
    )
    assert counted({}) == ""
