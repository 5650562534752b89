"""The ablation takes the residual connections away and nothing else."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture
from deepfake_ensemble.training.residual import surgery

# How Keras takes the input of its own applications.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

IMAGES = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
BLOCKS = {"resnet18": 8, "resnet50_v1_5": 16, "resnet101": 33, "resnet152": 50}
NAMES = ["resnet18", "resnet50_v1_5"]

each = pytest.mark.parametrize("name", NAMES)
each_ablation = pytest.mark.parametrize("connections", ["removed", "one_a_stage_removed"])


@cache
def whole(name: str) -> Any:
    import keras

    keras.utils.set_random_seed(2)
    return architecture.find(name).backbone(32, architecture.FineTuned(frozen_layers=0), None)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_has_one_connection_and_every_stage_loses_one(name: str) -> None:
    assert surgery.residual_connections(whole(name)) == BLOCKS[name]
    without = surgery.with_connections(whole(name), "removed")
    assert surgery.residual_connections(without) == 0
    one_a_stage = surgery.with_connections(whole(name), "one_a_stage_removed")
    assert surgery.residual_connections(one_a_stage) == BLOCKS[name] - 4


@each
@each_ablation
def test_nothing_but_additions_and_projections_is_gone_and_no_weight_is_changed(
    name: str, connections: Any
) -> None:
    ablated = surgery.with_connections(whole(name), connections)
    kept = {layer.name: layer for layer in ablated.layers if layer.weights}
    lost = {layer.name for layer in whole(name).layers} - {layer.name for layer in ablated.layers}
    removed = {n for n in lost if n.endswith("_add")}
    # A projection is the first convolution beside a block's own, numbered 0, and its normalisation.
    projections = {n.replace("_add", f"_0_{kind}") for n in removed for kind in ("conv", "bn")}
    inputs = {layer.name for model in (whole(name), ablated) for layer in model.layers[:1]}
    assert lost - removed - inputs == projections & {layer.name for layer in whole(name).layers}
    assert {n.partition("_")[0] for n in removed} == {"conv2", "conv3", "conv4", "conv5"}
    for layer in whole(name).layers:
        if layer.name in kept:
            assert kept[layer.name] is layer
    order = [layer.name for layer in ablated.layers[1:]]
    assert sorted(order, key=[layer.name for layer in whole(name).layers].index) == order


@each
def test_an_addition_gives_what_comes_out_of_its_block(name: str) -> None:
    ablated = surgery.with_connections(whole(name), "removed")
    last = {"resnet18": "conv2_block1_2_bn", "resnet50_v1_5": "conv2_block1_3_bn"}[name]
    # Up to the first addition both are the same network; the activation after it sees the branch alone.
    expected = np.maximum(np.asarray(_up_to(ablated, last)(IMAGES)), 0)
    assert np.array_equal(np.asarray(_up_to(ablated, "conv2_block1_out")(IMAGES)), expected)
    assert not np.allclose(np.asarray(_up_to(whole(name), "conv2_block1_out")(IMAGES)), expected)


def _up_to(model: Any, name: str) -> Any:
    """Return the part of a model up to a layer, found by the model's own graph: layers are shared."""
    import keras

    outputs = {}

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        outputs[layer.name] = layer(*inputs, **options)
        return outputs[layer.name]

    copy = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    return keras.Model(copy.inputs[0], outputs[name])


@pytest.mark.parametrize("name", BLOCKS)
@each_ablation
def test_with_the_additions_put_back_the_outputs_are_the_original_s(name: str, connections: Any) -> None:
    before = np.asarray(whole(name)(IMAGES))
    ablated = surgery.with_connections(whole(name), connections)
    assert not np.allclose(np.asarray(ablated(IMAGES)), before)
    again = _with_additions(ablated, whole(name))
    assert surgery.residual_connections(again) == BLOCKS[name]
    assert np.array_equal(np.asarray(again(IMAGES)), before)
    assert np.array_equal(np.asarray(whole(name)(IMAGES)), before)


def _with_additions(ablated: Any, original: Any) -> Any:
    """Return the ablated graph, every call as it is there, with the missing additions before the activations
    that end their blocks: a block's input, or its projection by the original's layers, plus the branch."""
    import keras

    entered: dict[str, Any] = {}
    there = {layer.name for layer in ablated.layers}

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        block, _, end = layer.name.rpartition("_out")
        for first in ("_1_pad", "_1_conv"):  # whichever a block begins with
            if layer.name.endswith(first):
                entered.setdefault(layer.name.removesuffix(first), inputs[0])
        if not end and block and f"{block}_add" not in there:
            shortcut = entered[block]
            for projection in (f"{block}_0_conv", f"{block}_0_bn"):
                if any(layer.name == projection for layer in original.layers):
                    shortcut = original.get_layer(projection)(shortcut)
            inputs = (keras.layers.Add(name=f"{block}_add")([shortcut, inputs[0]]),)
        return layer(*inputs, **options)

    return keras.models.clone_model(ablated, clone_function=lambda layer: layer, call_function=call)


def test_a_network_with_a_small_stem_loses_its_connections_too() -> None:
    small = surgery.with_small_stem(whole("resnet18"))
    ablated = surgery.with_connections(small, "removed")
    assert surgery.residual_connections(ablated) == 0
    assert ablated.get_layer("conv1_conv") is small.get_layer("conv1_conv")


def test_a_network_without_connections_is_refused() -> None:
    vgg = architecture.find("vgg16").backbone(32, architecture.FineTuned(frozen_layers=0), None)
    with pytest.raises(UserError, match="has no residual connections"):
        surgery.with_connections(vgg, "removed")
