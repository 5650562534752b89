"""Detectors of the second study: multiply-adds and parameters, connections and mirror images."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.common import complexity
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.augmentation import transformed
from deepfake_ensemble.training.residual.settings import TRANSFORMS, Model

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@cache
def built(name: str, size: int = 32, stem: Any = "imagenet", **its: Any) -> Any:
    import keras

    keras.utils.set_random_seed(1)
    registered = architecture.find(name)
    settings = Model(input_scaling="native" if registered.native else "unit", network={})
    own = registered.network(**(its or ({} if name == "bird_lotfi" else {"frozen_layers": 0})))
    return network.build(name, settings, own, image_size=size, stem=stem)


@pytest.mark.parametrize(
    ("name", "billions"),
    # He et al. 2016, table 1, and timm's model card of resnet50.a1_in1k.
    [("resnet18", 1.8), ("resnet50_v1_5", 4.1), ("vgg16", 15.3)],
)
def test_multiply_adds_at_224_pixels_are_the_published_ones(name: str, billions: float) -> None:
    assert complexity.multiply_adds(built(name, 224)) / 1e9 == pytest.approx(billions, rel=0.03)


def test_multiply_adds_of_a_network_that_can_be_counted_by_hand() -> None:
    # 3 → 32 at 32², 32 → 32 at 16², 2,048 → 64, 64 → 1.
    by_hand = 32 * 32 * 9 * 3 * 32 + 16 * 16 * 9 * 32 * 32 + 2048 * 64 + 64
    assert complexity.multiply_adds(built("bird_lotfi")) == by_hand
    assert complexity.cost(built("bird_lotfi"), "small") == complexity.Cost(
        32, "small", by_hand, 141_345, 141_345
    )


def test_a_small_stem_costs_what_its_maps_are_larger() -> None:
    small, published = (
        complexity.multiply_adds(built("resnet18", 32, stem)) for stem in ("small", "imagenet")
    )
    assert 14 < small / published < 17


def test_without_connections_a_detector_keeps_scaling_and_head() -> None:
    whole = built("resnet18")
    plain = network.with_connections(whole, "removed")
    assert [layer.name for layer in plain.layers] == [layer.name for layer in whole.layers]
    assert plain.get_layer("p_fake") is whole.get_layer("p_fake")
    assert plain.name == "resnet18"
    assert complexity.cost(plain, "small").all < complexity.cost(whole, "small").all
    assert not np.allclose(np.asarray(plain(IMAGES)), np.asarray(whole(IMAGES)))
    assert network.with_connections(whole, "kept") is whole


@pytest.mark.parametrize("symmetry", ["mirror", "rectangle", "square"])
def test_the_mean_over_turns_is_that_of_the_turned_images(symmetry: Any) -> None:
    model = built("bird_lotfi")
    mean = network.with_test_time_augmentation(model, symmetry)
    answers = [
        np.asarray(model(np.stack([transformed(i, turn) for i in IMAGES]))) for turn in TRANSFORMS[symmetry]
    ]
    assert np.std(answers, axis=0).max() > 1e-4
    assert np.allclose(np.asarray(mean(IMAGES)), np.mean(answers, axis=0), atol=1e-6)
    assert mean.name == model.name and mean.input_shape == model.input_shape


def test_a_mean_over_nothing_is_the_model_itself() -> None:
    assert network.with_test_time_augmentation(built("bird_lotfi"), "none") is built("bird_lotfi")
