"""What an image's file says of its making, in words; anyone can leave that out, remove it or forge it.

It stands beside a verdict and never enters P(fake). Read are Content Credentials (C2PA), IPTC's digital
source type, the prompts and parameters that image generators write into PNG text and EXIF, and the name of a
program. Only the first are signed; c2pa, an optional package, tells whether the signature fits the file.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from PIL import Image, PngImagePlugin

Kind = Literal["content_credentials", "digital_source_type", "generation", "software"]

LONGEST = 300  # characters of one statement

_SOFTWARE, _DESCRIPTION, _EXIF, _USER_COMMENT = 0x0131, 0x010E, 0x8769, 0x9286
# Keys of PNG text under which generators write what made an image, in small letters.
_GENERATION_KEYS = frozenset(
    ("parameters", "prompt", "workflow", "dream", "sd-metadata", "invokeai_metadata", "fooocus_scheme")
)
# What such texts look like where the key is one that others use too.
_GENERATION = re.compile(r"\bSteps: \d+, |\"prompt\"\s*:|\bJob ID: [0-9a-f]{8}-")
_SOURCE_TYPE = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{1,60})")
_CREATOR_TOOL = re.compile(rb"CreatorTool(?:\s*=\s*[\"']|>)([^\"'<]{1,200})")
_PROVENANCE = re.compile(rb"dcterms:provenance(?:\s*=\s*[\"']|>)([^\"'<]{1,200})")
# https://cv.iptc.org/newscodes/digitalsourcetype/
_SOURCE_TYPES = {
    "trainedAlgorithmicMedia": "made by a trained algorithm",
    "compositeWithTrainedAlgorithmicMedia": "edited with a trained algorithm",
    "algorithmicMedia": "made by an algorithm that nothing was learned by",
    "compositeSynthetic": "put together, in part from synthetic elements",
    "digitalCapture": "taken by a digital camera",
    "computationalCapture": "taken by a digital camera, which computed it from several exposures",
}
_CHECKED_BY = "`pip install 'deepfake-ensemble[c2pa]'` checks the signature"


@dataclass(frozen=True)
class Statement:
    """One thing that a file says of itself.

    Attributes:
        kind: what sort of statement it is.
        place: where in the file it stands, in words.
        text: what it says, on one line.
        verified: whether a signature fits the file and what it says; None where none was checked.
    """

    kind: Kind
    place: str
    text: str
    verified: bool | None = None


def statements(image: Image.Image, data: bytes) -> tuple[Statement, ...]:
    """Return what a file says of its making, the weightiest first; nothing in a damaged block is an error.

    Args:
        image: as Pillow has opened and loaded it.
        data: the file's bytes.
    """
    xmp = image.info.get("xmp", b"")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    found = [*_credentials(data, xmp), *_source_types(xmp), *_written(image)]
    found += [_said("software", "XMP", tool) for tool in _CREATOR_TOOL.findall(xmp)[:1]]
    order = ("content_credentials", "digital_source_type", "generation", "software")
    return tuple(sorted(dict.fromkeys(found), key=lambda each: order.index(each.kind)))


def _said(kind: Kind, place: str, text: str | bytes) -> Statement:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(words.split()))
    return Statement(kind, place, line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")


def _source_types(xmp: bytes) -> Iterator[Statement]:
    for name in dict.fromkeys(_SOURCE_TYPE.findall(xmp)[:8]):
        yield Statement("digital_source_type", "IPTC, in XMP", source_type(name.decode()))


def source_type(name: str) -> str:
    """Return an IPTC digital source type with what it means."""
    meaning = _SOURCE_TYPES.get(name)
    return f"{name}: {meaning}" if meaning else name


def _written(image: Image.Image) -> Iterator[Statement]:
    """Yield what stands in PNG text, comments and EXIF."""
    for place, key, text in _texts(image):
        if key.lower() == "software":
            yield _said("software", place, text)
        elif key.lower() in _GENERATION_KEYS or _GENERATION.search(text):
            yield _said("generation", f"{place}, {key}" if key else place, text)


def _texts(image: Image.Image) -> Iterator[tuple[str, str, str]]:
    """Yield place, key and text of what may have been written there by hand or by a generator."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        yield from (("PNG text", key, text) for key, text in image.text.items() if isinstance(text, str))
    if isinstance(comment := image.info.get("comment"), bytes):
        yield "comment", "", comment.decode("utf-8", "replace")
    with suppress(Exception):  # whatever a damaged EXIF block holds
        exif = image.getexif()
        if software := exif.get(_SOFTWARE):
            yield "EXIF", "Software", str(software)
        if description := exif.get(_DESCRIPTION):
            yield "EXIF", "ImageDescription", str(description)
        if comment := exif.get_ifd(_EXIF).get(_USER_COMMENT):
            yield "EXIF", "UserComment", _user_comment(comment)


def _user_comment(comment: str | bytes) -> str:
    """Return an EXIF comment's text, whose first eight bytes name its encoding."""
    if isinstance(comment, str):
        return comment
    text = comment[8:]
    if not comment.startswith(b"UNICODE\0"):
        return text.decode("utf-8", "replace")
    # The standard leaves the order of bytes open; of Latin text, the even or the odd bytes are zeros.
    return text.decode("utf-16-be" if text[:1] == b"\0" else "utf-16-le", "replace")


def _credentials(data: bytes, xmp: bytes) -> Iterator[Statement]:
    place = "Content Credentials (C2PA)"
    if b"jumb" not in data or b"c2pa" not in data:
        for address in _PROVENANCE.findall(xmp)[:1]:
            said = f"kept elsewhere, and not fetched: {address.decode('utf-8', 'replace')}"
            yield _said("content_credentials", place, said)
        return
    if (context := _c2pa_context()) is None:
        yield Statement("content_credentials", place, f"there, and not checked; {_CHECKED_BY}")
        return
    from c2pa import C2paError, Reader

    try:
        with Reader(io.BytesIO(data), context=context) as reader:
            report, state = json.loads(reader.json()), reader.get_validation_state()
        manifest = report["manifests"][report["active_manifest"]]
    except C2paError.ManifestNotFound:
        return
    except (C2paError, KeyError, TypeError, ValueError):
        yield Statement(
            "content_credentials", place, "there, and damaged: nothing in them can be read", False
        )
        return
    fits = state in ("Valid", "Trusted")
    yield Statement(
        "content_credentials", place, _said("content_credentials", "", _claim(manifest, fits)).text, fits
    )


def _claim(manifest: dict[str, Any], fits: bool) -> str:
    signature = manifest.get("signature_info") or {}
    signer = signature.get("common_name") or signature.get("issuer") or "somebody without a name"
    checked = (
        f"signed in the name of {signer}, and the signature fits the file; whether that name is to be trusted"
        " was not checked"
        if fits
        else f"signed in the name of {signer}, and the signature does not fit: the file or they were changed"
    )
    makers = [str(each.get("name")) for each in manifest.get("claim_generator_info") or () if "name" in each]
    types = dict.fromkeys(_SOURCE_TYPE.findall(json.dumps(manifest.get("assertions", [])).encode())[:8])
    said = [f"written by {maker}" for maker in makers[:1]] + [source_type(name.decode()) for name in types]
    return "; ".join([checked, *said])


@cache
def _c2pa_context() -> Any:
    """Return the settings that c2pa reads with, which ask nothing of the network; None if it is not there."""
    try:
        import c2pa
    except ImportError:
        return None
    offline = {"remote_manifest_fetch": False, "ocsp_fetch": False}
    return c2pa.Context.from_dict({"verify": offline})
