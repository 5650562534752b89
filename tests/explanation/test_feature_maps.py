"""What layers make of an image: the values that the network itself computes on its way to the answer."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deepfake_ensemble.explanation import feature_maps
from deepfake_ensemble.models import architecture
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Connections, Model, Stem

if TYPE_CHECKING:
    import keras

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def built(name: str, stem: Stem) -> "keras.Model":
    unit = Model(input_scaling="unit", network={})
    own = architecture.find(name).network(frozen_layers=0)
    return network.build(name, unit, own, image_size=32, stem=stem)


@pytest.mark.parametrize("connections", ["kept", "removed"])
def test_of_a_resnet_the_maps_are_after_stem_pooling_and_each_stage(connections: Connections) -> None:
    whole = network.with_connections(built("resnet50_v1_5", "imagenet"), connections)
    as_loaded = type(whole).from_config(whole.get_config())
    maps = feature_maps.feature_maps(as_loaded, IMAGE, channels=4)
    assert [of.layer for of in maps] == [
        "conv1_relu",
        "pool1_pool",
        *(f"conv{stage}_block{blocks}_out" for stage, blocks in enumerate((3, 4, 6, 3), start=2)),
    ]
    assert [of.side for of in maps] == [16, 8, 8, 4, 2, 1]


def test_without_pooling_there_are_no_maps_of_it() -> None:
    backbone = built("resnet18", "small").get_layer("backbone")
    assert feature_maps.stations(backbone)[:2] == ["conv1_relu", "conv2_block2_out"]


def test_of_another_network_the_maps_are_of_the_last_layer_of_each_size() -> None:
    backbone = built("vgg16", "imagenet").get_layer("backbone")
    shown = feature_maps.stations(backbone)
    assert shown == [*(f"block{i}_conv{2 if i < 3 else 3}" for i in range(1, 6)), "block5_pool"]


@pytest.mark.parametrize("mean_over", ["none", "mirror"])
def test_the_first_map_is_of_colours_in_the_order_that_the_network_wants(mean_over: str) -> None:
    import keras

    keras.utils.set_random_seed(1)
    native = Model(input_scaling="native", network={})
    own = architecture.find("vgg16").network(frozen_layers=0)
    detector = network.build("vgg16", native, own, image_size=32, stem="imagenet")
    backbone = detector.get_layer("backbone")
    first, *_ = feature_maps.feature_maps(
        network.with_test_time_augmentation(detector, mean_over), IMAGE, channels=32
    )
    blue_first = IMAGE[None, ..., ::-1].astype(np.float32) - np.float32([103.939, 116.779, 123.68])
    layer = backbone.get_layer(first.layer)
    expected = np.asarray(keras.Model(backbone.inputs[0], layer.output)(blue_first))[0]
    assert np.array_equal(first.channels, feature_maps._maps(first.layer, expected, 32).channels)
