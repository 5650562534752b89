"""What is classified is what is seen: formats, transparency, colour profiles, orientation; and the bounds."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from deepfake_ensemble.reading import images
from deepfake_ensemble.reading.images import BadImage
from deepfake_ensemble.use import photographs
from deepfake_ensemble.use.photographs import open_photograph, seen
from pictures import encoded, picture
from use_images import GOOD

CASES = Path(__file__).parent / "cases"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def apart(one: Image.Image, other: Image.Image) -> float:
    """Return the mean distance of two images' values."""
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.mode == other.mode == "RGB" and np.array_equal(np.asarray(one), np.asarray(other))


def saturated() -> Image.Image:
    """Return patches of strong and weak colours."""
    steps = np.linspace(0, 255, 8).round().astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 8, 3))


# The primaries of Display P3 and of sRGB, each a column, under D50 as profiles have them.
P3 = np.array([[0.51512, 0.29198, 0.1571], [0.2412, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
RGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.7141]])


def display_p3() -> bytes:
    """Return sRGB's profile with the primaries of Display P3, which telephones use."""
    data = bytearray(SRGB)
    for entry in range(int.from_bytes(data[128:132])):
        at = 132 + 12 * entry
        column = {b"rXYZ": 0, b"gXYZ": 1, b"bXYZ": 2}.get(bytes(data[at : at + 4]))
        place = int.from_bytes(data[at + 4 : at + 8])
        for i, value in enumerate(P3[:, column] if column is not None else ()):
            data[place + 8 + 4 * i : place + 12 + 4 * i] = round(value * 65536).to_bytes(4, signed=True)
    return bytes(data)


def from_p3(colour: tuple[int, int, int]) -> np.ndarray:
    """Return a colour of Display P3 in sRGB; both have the same curve."""
    x = np.array(colour) / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    linear = np.linalg.solve(RGB, P3 @ linear).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "alpha.png"])
def test_plain_images_have_the_pixels_that_the_data_sets_reading_gives(name):
    found = open_photograph(GOOD[name])
    assert found.note is None and same(found.image, images.decode(GOOD[name]))


# Formats


@pytest.mark.parametrize(
    ("format_", "options", "tolerance"),
    [
        ("HEIF", {"quality": 95}, 4),
        ("AVIF", {"quality": 95}, 4),
        ("JPEG2000", {}, 0),
        ("MPO", {"quality": 95, "save_all": True, "append_images": [picture(2, 64, 48)]}, 6),
        ("PNG", {"save_all": True, "append_images": [picture(2, 64, 48)]}, 0),
        ("TIFF", {"save_all": True, "append_images": [picture(2, 64, 48)]}, 0),
    ],
)
def test_what_telephones_and_browsers_write_is_read_and_of_several_images_the_first(
    format_, options, tolerance
):
    image = picture(1, 64, 48, contrast=4)
    assert apart(open_photograph(encoded(image, format_, **options)).image, image) <= tolerance


def test_files_that_people_had_are_read():
    plain = open_photograph((CASES / "plain.jpg").read_bytes()).image
    for name in ("avif.avif", "jfif.jfif"):
        assert apart(open_photograph((CASES / name).read_bytes()).image, plain) < 5
    with pytest.raises(BadImage, match="damaged: it begins as a HEIC image, and cannot be read on"):
        open_photograph((CASES / "IMG_0001.HEIC").read_bytes())


def test_a_lab_image_is_read():
    image = picture(1, 64, 48, contrast=4)
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert apart(open_photograph(encoded(lab, "TIFF")).image, image) < 4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded(Image.new("F", (8, 8)), "TIFF"), "floating-point values in it"),
        (encoded(Image.new("I", (8, 8)), "TIFF"), "signed or 32-bit whole numbers in it"),
        (
            encoded(Image.new("L", (8, 8)), "TIFF", tiffinfo={50706: b"\1\4\0\0"}),
            "a raw photograph: not read",
        ),
        (encoded(picture(1), "WEBP")[:60], "damaged: "),
        (encoded(picture(1), "HEIF")[:600], "damaged: it begins as a HEIC image, and cannot be read on"),
        (encoded(picture(1), "AVIF")[:300], "damaged: "),
        (encoded(picture(1), "JPEG2000")[:200], "damaged: "),
        (b"\xff\xd8\xff", "damaged: it begins as a JPEG image"),
    ],
)
def test_what_cannot_be_used_is_told_what_is_wrong_with_it(data, reason):
    with pytest.raises(BadImage, match=reason):
        open_photograph(data)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "HEIF", "AVIF", "JPEG2000", "TIFF", "WEBP"])
def test_too_many_pixels_are_refused_before_they_are_decoded_and_the_bound_is_told(monkeypatch, format_):
    monkeypatch.setattr(photographs, "MAX_PIXELS", 1_000)
    monkeypatch.setattr(Image.Image, "load", _not_reached)
    with pytest.raises(BadImage, match=r"too large: 40 × 30 pixels; at most \d+ megapixels are read"):
        open_photograph(data := ENCODED[format_])
    assert data


def _not_reached(self: Image.Image) -> None:
    raise AssertionError("decoded")


ENCODED = {
    name: encoded(picture(1, 40, 30), name)
    for name in ("JPEG", "PNG", "HEIF", "AVIF", "JPEG2000", "TIFF", "WEBP")
}


def test_a_slow_decoder_gets_fewer_bytes(monkeypatch):
    monkeypatch.setattr(photographs, "_SLOW_BYTES", 2**20)
    noise = Image.effect_noise((1_000, 1_200), 200)
    data = encoded(noise, "JPEG2000")
    assert len(data) > 2**20
    with pytest.raises(BadImage, match="a JPEG 2000 image of more than 1 MiB: not read; save it as JPEG"):
        open_photograph(data)
    assert open_photograph(encoded(noise, "PNG")).note is None


# Transparency


def test_two_images_that_look_the_same_on_white_are_the_same():
    dark, light = (
        open_photograph((CASES / f"alpha_{name}.png").read_bytes()).image for name in ("dark", "light")
    )
    assert apart(dark, light) == 0


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        *(("RGBA", name) for name in ("PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "JPEG2000")),
        *(("LA", name) for name in ("PNG", "TIFF", "JPEG2000")),
        ("P", "PNG"),
    ],
)
def test_what_is_transparent_is_white(mode, format_):
    image = Image.new("RGBA", (64, 48), (10, 200, 30, 0))
    image.paste((200, 40, 60, 255), (0, 0, 32, 48))
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = encoded(image.quantize() if mode == "P" else image.convert(mode), format_, **options)
    found = np.asarray(open_photograph(data).image)
    assert (found[:, 40:] >= 250).all()
    assert abs(int(found[10, 10].mean()) - 100) < 30


def test_a_colour_that_png_calls_transparent_is_white():
    image = Image.new("RGB", (8, 8), (10, 20, 30))
    image.putpixel((0, 0), (200, 0, 0))
    found = open_photograph(encoded(image, "PNG", transparency=(10, 20, 30))).image
    assert found.getpixel((5, 5)) == (255, 255, 255) and found.getpixel((0, 0)) == (200, 0, 0)


def test_half_transparent_is_half_white():
    found = open_photograph(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG")).image
    assert found.getpixel((3, 3)) == (127, 127, 127)


# Colour profiles


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_colours_of_another_profile_become_those_of_srgb(format_):
    image = Image.new("RGB", (64, 64), (200, 100, 80))
    options = {"quality": 100} if format_ in ("JPEG", "WEBP", "HEIF", "AVIF") else {}
    found = open_photograph(encoded(image, format_, icc_profile=display_p3(), **options))
    assert found.note is None
    assert np.abs(np.array(found.image.getpixel((30, 30))) - from_p3((200, 100, 80))).max() <= 2


def test_pixels_in_srgb_already_stay_as_they_are():
    data = encoded(saturated(), "PNG", icc_profile=SRGB)
    assert apart(open_photograph(data).image, saturated()) == 0


def test_a_profile_and_transparency_go_together():
    image = Image.new("RGBA", (8, 8), (200, 100, 80, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    found = open_photograph(encoded(image, "PNG", icc_profile=display_p3())).image
    assert found.getpixel((0, 0)) == (255, 255, 255)
    assert np.abs(np.array(found.getpixel((4, 4))) - from_p3((200, 100, 80))).max() <= 1


@pytest.mark.parametrize("profile", [b"nothing", SRGB[:200], SRGB[:130] + b"\xff" * 300, b"\0" * 4_000])
def test_a_damaged_profile_is_left_out_with_a_note(profile):
    image = picture(1)
    found = open_photograph(encoded(image, "PNG", icc_profile=profile))
    assert found.note == "its colour profile is damaged: not used"
    assert apart(found.image, image) == 0


def test_a_profile_for_other_colours_is_left_out_with_a_note():
    image = picture(1).convert("CMYK")
    found = open_photograph(encoded(image, "TIFF", icc_profile=SRGB))
    assert found.note == "its colour profile is for other colours than its own: not used"
    assert apart(found.image, image.convert("RGB")) == 0


def test_a_grey_image_with_a_profile_for_colours_is_read():
    image = picture(1).convert("L")
    found = open_photograph(encoded(image, "PNG", icc_profile=SRGB))
    assert found.note is None and same(found.image, image.convert("RGB"))


def grey_profile(gamma: int) -> bytes:
    """Return the profile of a grey image whose values were raised to 1 / gamma."""
    white = (63190).to_bytes(4) + (65536).to_bytes(4) + (54061).to_bytes(4)
    tags = {
        b"desc": b"desc" + bytes(4) + (5).to_bytes(4) + b"grey\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + white,
        b"kTRC": b"curv" + bytes(4) + (1).to_bytes(4) + (256 * gamma).to_bytes(2) + bytes(2),
    }
    table, body = len(tags).to_bytes(4), b""
    for name, data in tags.items():
        table += name + (132 + 12 * len(tags) + len(body)).to_bytes(4) + len(data).to_bytes(4)
        body += data
    size = (128 + len(table) + len(body)).to_bytes(4)
    head = size + b"lcms\2\x10\0\0mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_image_has_a_profile_of_its_own(mode):
    image = {
        "L": Image.new("L", (8, 8), 128),
        "LA": Image.new("LA", (8, 8), (128, 255)),
        "I;16": Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)),
    }[mode]
    found = open_photograph(encoded(image, "TIFF", icc_profile=grey_profile(1)))
    assert found.note is None
    assert abs(found.image.getpixel((4, 4))[0] - 188) <= 1  # half the light is 188 in sRGB
    wrong = open_photograph(encoded(image.convert("L").convert("RGB"), "TIFF", icc_profile=grey_profile(1)))
    assert wrong.note == "its colour profile is for other colours than its own: not used"


@pytest.mark.parametrize(
    ("channels", "colour_type", "seen_as"),
    [
        (1, 0, (156, 156, 156)),
        (2, 4, (225, 225, 225)),
        (3, 2, (156, 78, 39)),
        (4, 6, (210, 174, 156)),
    ],
)
def test_sixteen_bits_a_channel_are_read_with_their_opacity(channels, colour_type, seen_as):
    pixel = b"".join(value.to_bytes(2) for value in (40_000, 20_000, 10_000, 30_000)[:channels])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = (4).to_bytes(4) * 2 + bytes([16, colour_type, 0, 0, 0])
    data = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress((b"\0" + 4 * pixel) * 4)) + chunk(b"IEND", b"")
    )
    assert open_photograph(b"\x89PNG\r\n\x1a\n" + data).image.getpixel((1, 1)) == seen_as


# Orientation


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("profile", [None, "p3"])
def test_an_image_is_turned_as_its_file_says(format_, profile):
    image = picture(3, 64, 32, contrast=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"icc_profile": display_p3()} if profile else {}
    held = open_photograph(encoded(image, format_, exif=exif.tobytes(), **options)).image
    upright = open_photograph(encoded(image.transpose(Image.Transpose.ROTATE_270), format_, **options)).image
    assert held.size == (32, 64) and apart(held, upright) < 6


def test_an_image_that_is_open_already_is_seen_the_same_way():
    image = Image.open(io.BytesIO(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG")))
    assert seen(image).image.getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(BadImage):
        seen(Image.new("F", (8, 8)))
