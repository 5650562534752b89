"""What is usual among images, and what is far from it."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from deepfake_ensemble.portable import out_of_distribution as ood
from pictures import picture

SIZE = 64


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def many(first: int, count: int) -> np.ndarray:
    return np.stack([ood.features(pixels(picture(first + i, SIZE, SIZE))) for i in range(count)])


@pytest.fixture(scope="module")
def usual() -> ood.ReferenceDistribution:
    return ood.fit(many(0, 300))


def test_of_other_images_of_the_same_kind_about_one_in_a_hundred_is_flagged(usual):
    flagged = ood.scores(many(1000, 1000), usual) > usual.limit
    assert 0 < flagged.mean() < 0.03


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.filter(ImageFilter.GaussianBlur(2)),
        lambda image: image.resize((16, 16)).resize((SIZE, SIZE)),
        lambda image: image.convert("L").convert("RGB"),
        lambda image: Image.new("RGB", image.size, "black"),
        lambda image: image.point(lambda value: 255 * (value > 127)),
    ],
    ids=["blurred", "enlarged", "grey", "black", "posterised"],
)
def test_what_changes_detail_colour_or_brightness_is_flagged(usual, change):
    changed = np.stack([ood.features(pixels(change(picture(i, SIZE, SIZE)))) for i in range(50)])
    assert (ood.scores(changed, usual) > usual.limit).mean() > 0.9


def test_a_grating_shows_in_the_band_of_its_frequency():
    for band, period in enumerate((32, 12, 6, 3)):
        wave = 127 + 100 * np.sin(2 * np.pi * np.arange(SIZE) / period)
        image = np.broadcast_to(wave[None, :, None], (SIZE, SIZE, 3)).astype(np.uint8)
        assert np.argmax(ood.features(image)[3:]) == band


def test_every_image_has_finite_features_whatever_is_in_it():
    for value in (0, 255):
        assert np.isfinite(ood.features(np.full((32, 32, 3), value, np.uint8))).all()
    assert len(ood.features(np.zeros((32, 32, 3), np.uint8))) == len(ood.FEATURES)


def test_distance_is_mahalanobis_and_the_limit_a_quantile_of_images_left_out():
    rng = np.random.default_rng(1)
    images = rng.normal(size=(5000, len(ood.FEATURES))) * np.arange(1, 8) + 3
    found = ood.fit(images)
    one = np.full((1, 7), 3.0)
    one[0, 4] += 10
    assert ood.scores(one, found)[0] == pytest.approx(2, rel=0.05)
    # The 99 % quantile of chi-square with seven degrees of freedom is 18.48.
    assert found.limit == pytest.approx(np.sqrt(18.48), rel=0.03)
