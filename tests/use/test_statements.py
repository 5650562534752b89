"""What a file says of its making is told as what it is, beside P(fake) and never in it."""

import io
import json
import sys

import pytest
from PIL import Image, PngImagePlugin

import credentials
import model_file
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.use import statements as module
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.classifying import classify
from deepfake_ensemble.use.formats import FORMATS
from deepfake_ensemble.use.inputs import Input
from deepfake_ensemble.use.photographs import open_photograph
from deepfake_ensemble.use.statements import LONGEST, Statement
from deepfake_ensemble.use.verdicts import decision_rule
from file_server import serve
from pictures import encoded, picture

PARAMETERS = "a cat on a roof\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:CreatorTool="A Painter 2"'
    f' Iptc4xmpExt:DigitalSourceType="{credentials.TRAINED}"/></x:xmpmeta>'
)


def said(data: bytes) -> list[Statement]:
    return list(open_photograph(data).statements)


def kinds(data: bytes) -> list[str]:
    return [each.kind for each in said(data)]


def png(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    return encoded(picture(1, 40, 30), "PNG", pnginfo=info)


@pytest.fixture(scope="module")
def signed() -> bytes:
    return credentials.signed(encoded(picture(1, 64, 64)))


@pytest.fixture
def without_c2pa(monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    module._c2pa_context.cache_clear()
    yield
    module._c2pa_context.cache_clear()


def test_a_plain_file_says_nothing():
    assert all(
        said(encoded(picture(1, 40, 30), kind)) == [] for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF")
    )


def test_a_signature_that_fits_is_told_with_its_name_which_nobody_has_checked(signed):
    (found,) = said(signed)
    assert (found.kind, found.verified) == ("content_credentials", True)
    assert credentials.SIGNER in found.text and "fits" in found.text and "was not checked" in found.text
    assert "A generator" in found.text and "trainedAlgorithmicMedia" in found.text


def test_a_signature_over_a_file_that_was_changed_does_not_fit(signed):
    (found,) = said(signed[:-40] + b"\x11" * 8 + signed[-32:])
    assert found.verified is False and "does not fit" in found.text


def test_credentials_that_are_damaged_are_there_all_the_same(signed):
    at = signed.index(b"jumb")
    (found,) = said(signed[: at + 60] + bytes(300) + signed[at + 360 :])
    assert found.verified is False and "damaged" in found.text


def test_without_the_library_presence_alone_is_told(signed, without_c2pa):
    (found,) = said(signed)
    assert found.verified is None and "not checked" in found.text and "[c2pa]" in found.text


def test_credentials_that_are_kept_elsewhere_are_told_and_not_fetched():
    import c2pa

    with serve({}) as server:
        data = credentials.signed(encoded(picture(1, 64, 64)), kept_at=f"{server.url}/manifest")
        (found,) = said(data)
        assert (found.kind, found.verified) == ("content_credentials", None)
        assert found.text == f"kept elsewhere, and not fetched: {server.url}/manifest"
        # Bytes that look like embedded ones make the library read; what it is told keeps it from asking.
        assert said(data + b"jumb c2pa")[0].verified is False
        assert server.requests == []
        with pytest.raises(c2pa.C2paError):
            c2pa.Reader(io.BytesIO(data))
        assert len(server.requests) == 1  # as it would if it were told nothing


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_iptc_s_source_type_is_read_from_xmp_with_what_it_means(kind):
    image = picture(1, 64, 64)
    if kind == "PNG":
        data = png(**{"XML:com.adobe.xmp": XMP})
    elif kind == "TIFF":
        data = encoded(image, "TIFF", tiffinfo={700: XMP.encode()})
    else:
        data = encoded(image, kind, xmp=XMP.encode())
    found = {each.kind: each.text for each in said(data)}
    assert found["digital_source_type"] == "trainedAlgorithmicMedia: made by a trained algorithm"
    assert found["software"] == "A Painter 2"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("parameters", PARAMETERS),
        ("prompt", '{"3": {"class_type": "KSampler"}}'),
        ("Dream", '"a cat" -s 50'),
        ("Comment", '{"prompt": "a cat"}'),
        ("Description", "a cat --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef"),
    ],
)
def test_what_generators_write_into_png_text_is_told(key, text):
    (found,) = said(png(**{key: text}))
    assert found.kind == "generation" and found.place == f"PNG text, {key}"
    assert found.text == " ".join(text.split())


def test_what_people_write_into_png_text_is_not():
    assert kinds(png(Title="Holiday", Description="my cat", Comment="steps to the beach")) == []


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "HEIF", "AVIF"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "ascii"])
def test_parameters_and_software_are_read_from_exif(kind, encoding):
    exif = Image.Exif()
    exif[0x0131] = "A Camera 1.0"
    head = b"ASCII\0\0\0" if encoding == "ascii" else b"UNICODE\0"
    exif.get_ifd(0x8769)[0x9286] = head + PARAMETERS.encode(encoding)
    found = {each.kind: each for each in said(encoded(picture(1, 64, 64), kind, exif=exif.tobytes()))}
    assert found["generation"].text == " ".join(PARAMETERS.split())
    assert (found["software"].text, found["software"].place) == ("A Camera 1.0", "EXIF")


def test_a_statement_is_one_short_line_whatever_is_in_it():
    (found,) = said(png(parameters="a\x1b[31m\u202e\n" + "b" * 10_000))
    assert len(found.text) == LONGEST and found.text.isprintable()


def test_a_damaged_block_costs_its_statement_alone():
    data = encoded(picture(1, 40, 30), exif=b"Exif\0\0II*\0\xff\xff\xff\xff", comment=PARAMETERS)
    assert kinds(data) == ["generation"]


def test_what_a_file_says_does_not_change_what_the_detectors_say(tmp_path):
    classifier = Classifier(model_file.write(tmp_path / "ensemble.onnx"))
    plain, speaking = encoded(picture(1, 40, 30), "PNG"), png(parameters=PARAMETERS, Software="A Painter")
    inputs = [Input("plain.png", lambda: plain), Input("speaking.png", lambda: speaking)]
    one, other = classify(classifier, inputs)
    assert one.p_fake == other.p_fake and one.distance == other.distance

    rule = decision_rule(classifier.metadata, "ensemble")
    text = {name: "".join(form([one, other], classifier.metadata, rule)) for name, form in FORMATS.items()}
    first, second = json.loads(text["json"])
    assert first["statements"] == []
    assert [each["kind"] for each in second["statements"]] == ["generation", "software"]
    assert "a cat on a roof" in text["csv"]
    assert "speaking.png says of itself: a cat on a roof" in text["table"]
    assert "A Painter" not in text["table"]  # a program's name is no news there
    assert " ".join(text["table"].split()).endswith(wording.STATEMENTS)
