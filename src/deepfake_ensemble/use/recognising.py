"""What a file is that is no image that is read here: by its first bytes, or by its name's ending."""

import re
from collections.abc import Mapping

READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF or JPEG 2000"
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpx", ".jpf"),
)
"""The endings of files that are taken for images in folders, patterns and archives."""

_IMAGE = "not read; save it as JPEG or PNG"
_FRAMES = "not read; save single frames of it as images"
_PAGES = "not read; save the pictures in it as images"
_ARCHIVE = "unpack it"
_LOOKED_INTO = "unpack it, or let `predict` open it under a name that ends in .zip"

# Where a file has which bytes, in the order of asking.
_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\x0a", f"a JPEG XL image: {_IMAGE}"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", f"a JPEG XL image: {_IMAGE}"),
    (0, b"II\xbc", f"a JPEG XR image: {_IMAGE}"),
    (0, b"8BPS", f"a Photoshop document: {_IMAGE}"),
    (0, b"gimp xcf", f"a GIMP document: {_IMAGE}"),
    (0, b"v/1\x01", f"an OpenEXR image: {_IMAGE}"),
    (0, b"#?RADIANCE", f"a Radiance HDR image: {_IMAGE}"),
    (0, b"qoif", f"a QOI image: {_IMAGE}"),
    (0, b"DDS ", f"a DDS texture: {_IMAGE}"),
    (0, b"\0\0\1\0", f"an icon: {_IMAGE}"),
    *((0, b"P%d\n" % number, f"a Netpbm image: {_IMAGE}") for number in range(1, 8)),
    (0, b"SIMPLE  =", f"a FITS image: {_IMAGE}"),
    (128, b"DICM", f"a DICOM image: {_IMAGE}"),
    (0, b"FUJIFILMCCD-RAW", f"a raw photograph: {_IMAGE}"),
    (8, b"CR\x02", f"a raw photograph: {_IMAGE}"),
    *((0, start, f"a raw photograph: {_IMAGE}") for start in (b"IIRO", b"IIRS", b"MMOR", b"IIU\0")),
    (4, b"ftypcrx ", f"a raw photograph: {_IMAGE}"),
    *((4, b"ftyp" + brand, "a sound: it shows nothing") for brand in (b"M4A ", b"M4B ")),
    (4, b"ftypjxl ", f"a JPEG XL image: {_IMAGE}"),
    (4, b"ftyp", f"a video: {_FRAMES}"),
    *((4, atom, f"a video: {_FRAMES}") for atom in (b"moov", b"mdat", b"wide")),
    (0, b"\x1aE\xdf\xa3", f"a video: {_FRAMES}"),
    (0, b"FLV\x01", f"a video: {_FRAMES}"),
    (0, b"\0\0\1\xba", f"a video: {_FRAMES}"),
    (0, b"\0\0\1\xb3", f"a video: {_FRAMES}"),
    (0, b"0&\xb2u\x8ef\xcf\x11", f"a video: {_FRAMES}"),
    (8, b"AVI LIST", f"a video: {_FRAMES}"),
    (8, b"WAVE", "a sound: it shows nothing"),
    (0, b"OggS", "a sound or a video: not read; save single frames of a video as images"),
    *((0, start, "a sound: it shows nothing") for start in (b"ID3", b"fLaC", b"\xff\xfb", b"#!AMR")),
    (0, b"%PDF", f"a PDF: {_PAGES}"),
    (0, b"%!PS", f"a PostScript file: {_PAGES}"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"a document of an office program: {_PAGES}"),
    (0, b"{\\rtf", f"a document of an office program: {_PAGES}"),
    (0, b"7z\xbc\xaf'\x1c", f"a 7z archive: {_ARCHIVE}"),
    (0, b"Rar!\x1a\x07", f"a RAR archive: {_ARCHIVE}"),
    (0, b"\x1f\x8b", f"a gzip archive: {_ARCHIVE}"),
    (0, b"BZh", f"a bzip2 archive: {_ARCHIVE}"),
    (0, b"\xfd7zXZ\0", f"an xz archive: {_ARCHIVE}"),
    (0, b"(\xb5/\xfd", f"a Zstandard archive: {_ARCHIVE}"),
    (0, b"MSCF\0\0\0\0", f"a cabinet archive: {_ARCHIVE}"),
    (257, b"ustar", f"a tar archive: {_ARCHIVE}"),
    (0, b"\0\x05\x16\x07", "a side file of macOS: the picture lies beside it, without ._ before its name"),
    (0, b"\0\0\0\1Bud1", "a side file of macOS: it holds no picture"),
    (0, b"L\0\0\0\1\x14\x02\0", "a shortcut of Windows: give what it leads to"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, of data or of a model"),
    (
        0,
        b"version https://git-lfs",
        "a pointer of Git LFS in an image's place: `git lfs pull` fetches the image",
    ),
)
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"(<\?xml.{,2000}?|<!--.{,2000}?)?<svg\b", f"a drawing (SVG): {_IMAGE}"),
    (r"(<\?xml.{,2000}?)?<!doctype html|<html\b", "a web page: save the image in it, not the page around it"),
    (r"P[1-7]\s+(#.{,200}\n)?\d", f"a Netpbm image: {_IMAGE}"),
)
_DOCUMENTS = (b"[Content_Types].xml", b"mimetypeapplication/")  # a zip's first entries


_IMAGES: dict[str, tuple[tuple[int, bytes], ...]] = {
    "a JPEG image": ((0, b"\xff\xd8\xff"),),
    "a PNG image": ((0, b"\x89PNG\r\n\x1a\n"),),
    "a GIF image": ((0, b"GIF8"),),
    "a WebP image": ((8, b"WEBP"),),
    "a TIFF image": ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
    "a BMP image": ((0, b"BM"),),
    "an AVIF image": ((4, b"ftypavif"), (4, b"ftypavis")),
    "a HEIC image": tuple((4, b"ftyp" + brand) for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    "a JPEG 2000 image": ((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51")),
}


def image_kind(data: bytes) -> str | None:
    """Say which of the kinds that are read an image begins as; None if it is of none."""
    for kind, signs in _IMAGES.items():
        if any(data.startswith(sign, at) for at, sign in signs):
            return kind
    return None


def kind_of(data: bytes) -> str:
    """Say what bytes are that no decoder knows, and what to do: a sentence's end, after the file's name."""
    if not data:
        return "empty"
    for at, beginning, kind in _BEGINNINGS:
        if data.startswith(beginning, at):
            return kind
    if data.startswith(b"PK\x03\x04"):
        document = any(sign in data[:200] for sign in _DOCUMENTS)
        return f"a document of an office program: {_PAGES}" if document else f"a zip archive: {_LOOKED_INTO}"
    if _is_transport_stream(data):
        return f"a video: {_FRAMES}"
    if not data.strip(b"\0"):
        return "nothing but zeros: its content is lost; copy it again from where it came from"
    return _text(data) or f"of no kind that is known here: {READ} is read"


def _is_transport_stream(data: bytes) -> bool:
    return len(data) > 376 and data[0] == data[188] == data[376] == 0x47


def _text(data: bytes) -> str | None:
    beginning = data[:4096]
    try:
        text = beginning.decode("utf-16" if beginning[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 4:  # else a letter was cut in two
            return None
        text = beginning[: error.start].decode()
    if any(letter < " " and letter not in "\t\n\r\f\x1b" for letter in text):
        return None
    for pattern, kind in _TEXTS:
        if re.match(pattern, text.lstrip(), re.DOTALL | re.IGNORECASE):
            return kind
    return "a text"


# What stands beside images, in folders and archives.

_PLURALS = {
    "file of macOS": "files of macOS",
    "file of Windows": "files of Windows",
    "file of a network drive": "files of a network drive",
    "hidden file": "hidden files",
    "video": "videos",
    "sound": "sounds",
    "raw photograph": "raw photographs",
    "image of another format": "images of other formats",
    "document": "documents",
    "archive": "archives",
    "text or table": "texts and tables",
    "other file": "other files",
}
_KINDS = {
    "video": (
        ".mp4 .m4v .mov .qt .avi .mkv .webm .3gp .3g2 .mts .m2ts .ts .mpg .mpeg .vob .wmv .asf .flv .ogv"
    ),
    "sound": ".mp3 .m4a .aac .wav .flac .ogg .opus .wma .aif .aiff .amr .mid",
    "raw photograph": (
        ".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .srf .raf .orf .rw2 .pef .srw .x3f .3fr .iiq .raw"
    ),
    "image of another format": (
        ".jxl .jxr .wdp .svg .svgz .ico .icns .psd .psb .xcf .kra .ai .eps .exr .hdr .qoi .dds .tga .pcx .ppm"
        " .pgm .pbm .pnm .pam .fits .dcm .heics .heifs .avifs"
    ),
    "document": ".pdf .doc .docx .odt .ppt .pptx .odp .xls .xlsx .ods .rtf .epub .pages .key",
    "archive": ".zip .7z .rar .tar .gz .tgz .bz2 .xz .zst .cab .iso .dmg",
    "text or table": (
        ".txt .md .csv .tsv .json .jsonl .xml .xmp .aae .html .htm .yml .yaml .log .ini .srt .url .thm"
    ),
}
_BY_SUFFIX = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}
# Which part of a path, in small letters, tells of a system's side file or of a folder of such; patterns that
# JavaScript understands too, for the page passes over the same.
_SIDE_FILES = {
    "file of macOS": (
        r"\._.*|__macosx|icon\r|\.(ds_store|appledouble|spotlight-v100|trashes|fseventsd|temporaryitems"
        r"|documentrevisions-v100|volumeicon\.icns)"
    ),
    "file of Windows": r"(eh)?thumbs\.db|desktop\.ini|\$recycle\.bin|system volume information",
    "file of a network drive": r"@eadir|#recycle|#snapshot|@recycle",
    "hidden file": r"\..*",
}
# Asked first: most files are no side files.
_SIDE_FILE = re.compile("|".join(f"({pattern})" for pattern in _SIDE_FILES.values()), re.DOTALL)
RULES = {
    "side_files": _SIDE_FILES,
    "taken": list(SUFFIXES),
    "by_suffix": _BY_SUFFIX,
    "plurals": _PLURALS,
    "other": "other file",
}
"""What `passed_over` and `counted` go by, as data for JSON."""


def passed_over(parts: tuple[str, ...]) -> str | None:
    """Return what kind of file is passed over in a folder or archive, by its path in it; None: it is taken.

    Side files of systems are, whatever their ending, and so is what lies in their folders and in hidden ones.
    """
    names = [part.lower() for part in parts if part != ".."]
    if any(map(_SIDE_FILE.fullmatch, names)):
        for kind, pattern in _SIDE_FILES.items():
            if any(re.fullmatch(pattern, name, re.DOTALL) for name in names):
                return kind
    name = parts[-1].lower()
    if name.endswith(SUFFIXES):
        return None
    return _BY_SUFFIX.get(name[name.rfind(".") :] if "." in name else "", "other file")


def counted(kinds: Mapping[str, int]) -> str:
    """Return how many files of each kind there are, in words: "3 videos, 12 files of macOS"."""
    order = [kind for kind in _PLURALS if kinds.get(kind)]
    return ", ".join(f"{kinds[kind]:,} {kind if kinds[kind] == 1 else _PLURALS[kind]}" for kind in order)
