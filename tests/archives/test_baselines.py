"""Trivial features are what they say, and their AUC is that of an independent count."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.signal import convolve2d

from deepfake_ensemble.archives import baselines as module
from deepfake_ensemble.archives.baselines import Features, features


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_brightness_and_sharpness_equal_an_independent_computation() -> None:
    image = noise(37, 23)
    grey = np.asarray(image.convert("L"), dtype=float)
    laplacian = convolve2d(grey, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="valid")
    assert features(123, image) == pytest.approx((123, grey.mean(), laplacian.var()), rel=1e-12)


def test_a_flat_image_and_one_too_small_have_no_sharpness() -> None:
    assert features(9, Image.new("RGB", (8, 8), (7, 7, 7))) == (9, 7.0, 0.0)
    assert features(9, noise(2, 50)).sharpness == 0.0
    assert features(9, Image.new("RGB", (1, 1), (255, 255, 255))) == (9, 255.0, 0.0)


def baselines(*arguments: Any, **options: Any) -> dict[str, Any]:
    """Return them as the JSON file holds them."""
    return asdict(module.baselines(*arguments, **options))


def rows(seed: int, n: int = 60) -> tuple[list[Features], list[int]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    values = rng.normal(size=(n, 3)).round(1) + labels[:, None] * [-0.8, 0.0, 0.3]
    return [Features(*row) for row in values.tolist()], labels.tolist()


def test_the_auc_of_a_feature_is_the_share_of_pairs_it_orders() -> None:
    values, labels = rows(1)
    result = baselines(values, labels, seed=0)
    for k, name in enumerate(Features._fields):
        fake = [row[k] for row, label in zip(values, labels, strict=True) if label == 1]
        real = [row[k] for row, label in zip(values, labels, strict=True) if label == 0]
        wins = sum((f > r) + (f == r) / 2 for f in fake for r in real) / (len(fake) * len(real))
        assert result[name]["auc"] == round(max(wins, 1 - wins), 6)
        assert result[name]["fake_is"] == ("higher" if wins > 0.5 else "lower")
    assert result["file_size"]["fake_is"] == "lower"


def test_the_logistic_regression_uses_all_features() -> None:
    values, labels = rows(1, n=2_000)
    result = baselines(values, labels, seed=0)
    assert result["logistic"]["auc"] > max(result[name]["auc"] for name in Features._fields)
    assert 0.6 < result["logistic"]["accuracy"] < 0.8
    assert (result["logistic"]["folds"], result["logistic"]["n"]) == (5, 2_000)


def test_the_logistic_regression_is_judged_on_images_it_has_not_seen() -> None:
    rng = np.random.default_rng(3)
    values = [Features(*row) for row in rng.normal(size=(40, 3)).tolist()]
    auc = [
        baselines(values, rng.permutation([0, 1] * 20).tolist(), seed=0)["logistic"]["auc"] for _ in range(9)
    ]
    assert np.median(auc) < 0.6


def test_baselines_depend_on_the_seed_only_by_the_folds() -> None:
    values, labels = rows(1)
    first, again, other = (baselines(values, labels, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["logistic"] != other["logistic"]
    assert first["sharpness"] == other["sharpness"]


def test_a_feature_without_any_difference_says_so() -> None:
    values = [Features(5.0, 5.0, 5.0)] * 4
    result = baselines(values, [0, 1, 0, 1], seed=0)
    assert result["sharpness"] == {"auc": 0.5, "fake_is": "the same"}
    assert result["logistic"] == {"auc": 0.5, "accuracy": 0.5, "folds": 2, "n": 4}


@pytest.mark.parametrize("labels", [[], [1, 1, 1]])
def test_nothing_is_said_of_one_class_alone(labels: list[int]) -> None:
    result = baselines([Features(1.0, 2.0, 3.0)] * len(labels), labels, seed=0)
    assert result == {"file_size": None, "brightness": None, "sharpness": None, "logistic": None}


def test_a_single_image_of_a_class_cannot_be_cross_validated() -> None:
    result = baselines([Features(1.0, 2.0, 3.0), Features(2.0, 2.0, 3.0)], [0, 1], seed=0)
    assert result["file_size"] == {"auc": 1.0, "fake_is": "higher"}
    assert result["logistic"] is None
