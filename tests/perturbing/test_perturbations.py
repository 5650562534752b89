"""Perturbations: the stronger, the further from the original; the same pixels whenever they are made."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.perturbing.conditions import Condition, ImageFormat, Robustness, Severities, conditions
from deepfake_ensemble.perturbing.perturbations import PerturbedReader, balanced_subset, perturbation
from deepfake_ensemble.reading.batches import BatchReader
from pictures import pack, picture

SIZE = 64
SETTINGS = Robustness(
    severities=Severities(
        jpeg=[90, 50, 10],
        downscale=[0.75, 0.5, 0.25],
        blur=[0.01, 0.03, 0.1],
        noise=[2.0, 8.0, 32.0],
        crop=[0.9, 0.7, 0.4],
    ),
    like={"cifake": ImageFormat(size=32, quality=75)},
    seed=3,
)
CONDITIONS = conditions(SETTINGS)
KINDS: Mapping[str, int] = dict.fromkeys(("jpeg", "downscale", "blur", "noise", "crop"), 3) | {
    "like_cifake": 2
}


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return picture(5, SIZE, SIZE)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def named(name: str, settings: Robustness = SETTINGS) -> Condition:
    return next(condition for condition in conditions(settings) if condition.name == name)


def done(name: str, image: Image.Image, position: int = 0, settings: Robustness = SETTINGS) -> np.ndarray:
    return pixels(perturbation(named(name, settings), settings, "bicubic")(image, position))


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=2)
    return Image.open(buffer)


def test_each_kind_comes_from_mild_to_strong_and_a_likeness_in_two_steps() -> None:
    assert [condition.kind for condition in CONDITIONS] == [
        kind for kind, steps in KINDS.items() for _ in range(steps)
    ]
    assert len({condition.name for condition in CONDITIONS}) == len(CONDITIONS)
    assert {"jpeg_90", "blur_0.01", "like_cifake_2"} <= {condition.name for condition in CONDITIONS}


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_an_image_keeps_its_size_and_mode_and_comes_out_the_same_again(
    image: Image.Image, condition: Condition
) -> None:
    before = pixels(image)
    one, other = (perturbation(condition, SETTINGS, "bilinear")(image, 7) for _ in range(2))
    assert (one.size, one.mode) == ((SIZE, SIZE), "RGB")
    assert np.array_equal(pixels(one), pixels(other))
    assert not np.array_equal(pixels(one), before)
    assert np.array_equal(pixels(image), before)  # the original is left alone


@pytest.mark.parametrize("kind", KINDS)
def test_the_more_severe_the_further_from_the_original(image: Image.Image, kind: str) -> None:
    steps = [condition for condition in CONDITIONS if condition.kind == kind]
    errors = [np.abs(done(it.name, image, 7) - pixels(image)).mean() for it in steps]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]


def test_noise_is_each_image_s_own_and_as_strong_as_it_says() -> None:
    grey = Image.new("RGB", (SIZE, SIZE), (128, 128, 128))
    one, other = (done("noise_8", grey, position) - 128 for position in (1, 2))
    assert one.std() == pytest.approx(8, rel=0.05)
    assert one.mean() == pytest.approx(0, abs=0.5)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, done("noise_8", grey, 1, replace(SETTINGS, seed=4)) - 128)


def test_compression_is_jpeg_of_that_quality(image: Image.Image) -> None:
    assert np.array_equal(done("jpeg_50", image), pixels(as_jpeg(image, 50)))


def test_a_blur_spreads_a_point_by_its_share_of_the_side() -> None:
    point = np.zeros((SIZE, SIZE, 3), np.uint8)
    point[32, 32] = 255
    spread = done("blur_0.03", Image.fromarray(point))[:, :, 0].astype(float)
    rows = np.arange(SIZE) - 32
    variance = (spread.sum(axis=1) * rows**2).sum() / spread.sum()
    assert np.sqrt(variance) == pytest.approx(0.03 * SIZE, rel=0.1)


def test_a_crop_keeps_the_middle() -> None:
    image = Image.new("RGB", (SIZE, SIZE), "black")
    image.paste("white", (SIZE // 4, SIZE // 4, 3 * SIZE // 4, 3 * SIZE // 4))
    crop = Severities(**{**vars(SETTINGS.severities), "crop": [0.5]})
    assert done("crop_0.5", image, settings=replace(SETTINGS, severities=crop)).min() == 255


def test_an_image_is_likened_by_size_then_by_compression_and_enlarged_as_the_other_set_is(
    image: Image.Image,
) -> None:
    small = image.resize((32, 32), Image.Resampling.BILINEAR)
    for step, seen in ((1, small), (2, as_jpeg(small, 75))):
        expected = seen.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        assert np.array_equal(done(f"like_cifake_{step}", image), pixels(expected))


def test_a_perturbed_reader_changes_each_image_by_its_position(tmp_path: Path) -> None:
    images = pack(tmp_path / "test", 5)
    noisy = perturbation(named("noise_32"), SETTINGS, "bilinear")
    clean, _ = BatchReader(images, SIZE).read(np.array([3, 1]))
    read, labels = PerturbedReader(images, SIZE, "bilinear", 2, noisy).read(np.array([3, 1]))
    assert labels.ravel().tolist() == images.labels[[3, 1]].tolist()
    for row, position in enumerate((3, 1)):
        expected = noisy(Image.fromarray(clean[row]), position)
        assert np.array_equal(read[row], np.asarray(expected))


@pytest.mark.parametrize("labels", [[0, 1] * 10, [1] * 10 + [0] * 10, [0] * 3 + [1] * 9 + [0] * 7 + [1]])
@pytest.mark.parametrize("count", [0, 2, 8, 20, 2000])
def test_the_images_chosen_are_half_of_each_class_however_the_split_is_sorted(labels, count):
    positions = balanced_subset(np.array(labels), count)
    assert positions.tolist() == sorted(set(positions.tolist()))
    assert np.bincount(np.array(labels)[positions], minlength=2).tolist() == [min(count, 20) // 2] * 2
