"""The eight networks of the second study, with the published stem and with a small one."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.residual.report.study import WITHOUT_STEM
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Model

# Trainable parameters of the published networks without their classifiers, in the unit of table 2, and layers
# that a small stem takes away.
NETWORKS = {
    "resnet18": (11_176_512, 3),
    "resnet50_v1_5": (23_508_032, 3),
    "resnet101": (42_500_160, 3),
    "resnet152": (58_143_808, 3),
    "vgg16": (14_714_688, 0),
    "efficientnet_b3": (10_696_232, 1),
    "efficientnet_b4": (17_548_616, 1),
    "bird_lotfi": (141_280, 0),
}
# How Keras takes the input of its own applications.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)

each = pytest.mark.parametrize("name", NETWORKS)


def test_the_tables_show_no_stem_of_networks_that_it_does_not_change() -> None:
    assert {name for name, (_, gone) in NETWORKS.items() if not gone} | {"compact"} == WITHOUT_STEM


@cache
def built(name: str, stem: Any = "imagenet") -> Any:
    import keras

    keras.utils.set_random_seed(1)
    registered = architecture.find(name)
    return network.build(
        name,
        Model(input_scaling="native" if registered.native else "unit", network={}),
        registered.network(**({} if name == "bird_lotfi" else {"frozen_layers": 0})),
        image_size=32,
        stem=stem,
    )


@each
def test_each_has_the_published_parameters_and_a_sigmoid_unit(name: str) -> None:
    model = built(name)
    features = model.get_layer("backbone").output.shape[1]
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == NETWORKS[name][0] + features + 1
    p_fake = np.asarray(model(IMAGES))
    assert p_fake.shape == (3, 1) and ((p_fake > 0) & (p_fake < 1)).all()


@each
def test_a_small_stem_keeps_the_image_s_size_up_to_the_first_block(name: str) -> None:
    published, small = (built(name, stem).get_layer("backbone") for stem in ("imagenet", "small"))
    assert len(published.layers) - len(small.layers) == NETWORKS[name][1]
    # Built anew from its description: the layers of both are the same and know their first output only.
    anew = type(small).from_config(small.get_config())
    sizes = [layer.output.shape[1] for layer in anew.layers if "block1" in layer.name]
    if sizes:
        assert max(sizes) >= 32
        assert ((np.asarray(built(name, "small")(IMAGES)) > 0) & (np.asarray(built(name)(IMAGES)) < 1)).all()


def test_a_small_stem_of_efficientnet_keeps_its_kernel() -> None:
    import keras

    from deepfake_ensemble.training.residual import surgery

    whole = built("efficientnet_b3").get_layer("backbone")
    small = surgery.with_small_stem(whole)
    for one, other in zip(
        whole.get_layer("stem_conv").get_weights(), small.get_layer("stem_conv").get_weights(), strict=True
    ):
        assert np.array_equal(one, other)
    assert isinstance(small, keras.Model)
