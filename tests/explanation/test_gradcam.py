"""Grad-CAM: against a network whose maps are known, and on every registered architecture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.explanation import gradcam
from deepfake_ensemble.explanation.gradcam import GradCam
from deepfake_ensemble.models import architecture, detector, saved
from networks import STUDY

SIZE = 32


def of_known_maps(kernel: list[float]) -> Any:
    """Return a detector whose feature maps are the image's own channels, pooled by their mean."""
    import keras

    image = x = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255, name="scaling")(x)
    inside = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Activation("linear")(inside)
    features = keras.layers.GlobalAveragePooling2D()(maps)
    x = keras.Model(inside, features, name="backbone")(x)
    model = keras.Model(image, keras.layers.Dense(1, activation="sigmoid", name="p_fake")(x))
    model.get_layer("p_fake").set_weights(
        [np.array(kernel, np.float32)[:, None], np.array([3.0], np.float32)]
    )
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)


def test_the_heat_is_the_channels_weighted_by_their_gradient(images):
    kernel = np.array([0.7, -0.4, 0.2])
    maps = GradCam(of_known_maps(kernel.tolist())).maps(images, np.array([True, True, False]))
    for image, heat, sign in zip(images, maps, (1, 1, -1), strict=True):
        expected = np.maximum(sign * (image / 255 @ kernel), 0)  # the mean's gradient is the same everywhere
        np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-4)


def test_an_image_in_which_nothing_speaks_for_the_class_stays_cold(images):
    maps = GradCam(of_known_maps([-1.0, -1.0, -1.0])).maps(images, np.ones(3, bool))
    assert maps.max() == 0


def test_the_ensemble_s_map_adds_up_its_members_by_weight():
    hot = {"a": np.zeros((1, 2, 2), np.float32), "b": np.zeros((1, 2, 2), np.float32)}
    hot["a"][0, 0, 0], hot["b"][0, 1, 1] = 1, 1
    both = gradcam.of_ensemble(hot, {"a": 0.75, "b": 0.25})
    np.testing.assert_allclose(both[0], [[1, 0], [0, 1 / 3]], rtol=1e-6)


def test_maps_are_enlarged_to_the_image():
    heat = np.array([[[1, 0], [0, 0]]], np.float32)
    enlarged = gradcam.enlarged(heat, 8)
    assert enlarged.shape == (1, 8, 8)
    assert enlarged[0, 0, 0] == enlarged.max() == 1
    assert enlarged[0, 7, 7] == 0


@pytest.mark.networks
@pytest.mark.parametrize("name", STUDY)
def test_every_architecture_has_maps_that_can_be_explained(name: str, images, tmp_path: Path):
    import keras

    from deepfake_ensemble.foundation.params import check, load

    registered = architecture.find(name)
    network = check("", load()["models"][name]["network"], registered.network)
    keras.utils.set_random_seed(2)
    built = detector.build(name, registered, image_size=SIZE, input_scaling="unit", network=network)
    detector.freeze(built, 3)  # frozen layers are explained too
    saved.save(built, tmp_path / "model.keras", {})
    found = GradCam(saved.load(tmp_path / "model.keras"))
    maps = found.maps(images, np.array([True, False, True]))
    assert maps.shape[0] == 3 and 1 <= maps.shape[1] <= SIZE
    assert np.isfinite(maps).all() and maps.min() >= 0 and maps.max() == pytest.approx(1)
    assert np.array_equal(maps, found.maps(images, np.array([True, False, True])))
