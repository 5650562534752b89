"""What layers make of an image: the values that the network itself computes on its way to the answer."""

import numpy as np
import pytest

from deepfake_ensemble.explanation import feature_maps
from deepfake_ensemble.models import architecture
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Model

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("mean_over", ["none", "mirror"])
def test_the_first_map_is_of_colours_in_the_order_that_the_network_wants(mean_over: str) -> None:
    import keras

    keras.utils.set_random_seed(1)
    native = Model(input_scaling="native", network={})
    own = architecture.find("vgg16").network(frozen_layers=0)
    detector = network.build("vgg16", native, own, image_size=32, stem="imagenet")
    backbone = detector.get_layer("backbone")
    first, *_ = feature_maps.feature_maps(network.mean_over(detector, mean_over), IMAGE, channels=32)
    blue_first = IMAGE[None, ..., ::-1].astype(np.float32) - np.float32([103.939, 116.779, 123.68])
    layer = backbone.get_layer(first.layer)
    expected = np.asarray(keras.Model(backbone.inputs[0], layer.output)(blue_first))[0]
    assert np.array_equal(first.channels, feature_maps._maps(first.layer, expected, 32).channels)
