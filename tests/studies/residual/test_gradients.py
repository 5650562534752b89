"""Norms of gradients are those of the loss that a training starts from."""

import keras
import numpy as np
import pytest

from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.residual import gradients
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Model

RNG = np.random.default_rng(3)
BATCH = (
    RNG.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8),
    np.array([[0], [1]] * 4, dtype=np.float32),
)


@pytest.fixture(scope="module")
def whole() -> keras.Model:
    keras.utils.set_random_seed(5)
    own = architecture.find("resnet18").network(frozen_layers=0)
    settings = Model(input_scaling="native", network={})
    return network.build("resnet18", settings, own, image_size=32, stem="small")


def test_both_networks_have_the_same_convolutions_from_the_input_to_the_output(whole: keras.Model) -> None:
    kept = gradients.norms(whole, BATCH)
    removed = gradients.norms(network.with_connections(whole, "removed"), BATCH)
    assert kept.layers == removed.layers
    assert kept.layers[:2] == ["conv1_conv", "conv2_block1_1_conv"] and len(kept.layers) == 17
    assert kept.norms != removed.norms


def test_a_norm_is_how_fast_the_loss_rises_along_the_gradient(whole: keras.Model) -> None:
    kernel = whole.get_layer("backbone").get_layer("conv1_conv").kernel
    weights, measured = kernel.numpy(), gradients.norms(whole, BATCH)

    def loss(direction: np.ndarray) -> float:
        kernel.assign(weights + 1e-3 * direction)
        return float(keras.losses.BinaryCrossentropy()(BATCH[1], whole(BATCH[0], training=True)))

    # Along random directions slopes have the mean square of the norm's.
    drawn = [RNG.normal(size=weights.shape).astype(np.float32) for _ in range(24)]
    slopes = [(loss(direction) - loss(-direction)) / 2e-3 for direction in drawn]
    kernel.assign(weights)
    assert np.sqrt(np.mean(np.square(slopes))) == pytest.approx(measured.norms[0], rel=0.4)


def test_the_reach_is_the_share_of_the_last_convolution_s_that_comes_through_to_the_first() -> None:
    assert gradients.Norms(["a", "b", "c"], [0.5, 9.0, 2.0]).reach == 0.25
