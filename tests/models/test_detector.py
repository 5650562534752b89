"""Detectors: the study's layers, pixels of 0 to 255 in, scaled exactly once, a probability out."""

from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from deepfake_ensemble.architectures.cnn import Network
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture, detector
from networks import SIZE, STUDY, build, settings, shared
from pictures import picture

NAMES = STUDY
FINE_TUNED = [name for name in NAMES if architecture.find(name).native]
IMAGES = np.stack([np.asarray(picture(seed)) for seed in range(4)])


def backbone_input(model, images: np.ndarray) -> np.ndarray:
    """Return what the backbone of a detector gets to see."""
    import keras

    seen = keras.Model(model.input, model.get_layer("scaling").output)
    return np.asarray(seen(images))


# Parameters and layers


PARAMETERS = {
    "cnn": 34_795_553,  # table 3.2
    # Keras' own counts without top, and a sigmoid unit: 2,048 + 1 or 1,792 + 1. EfficientNet's normalisation
    # (7 numbers that are not trained) is cut off.
    "resnet50": 23_587_712 + 2_049,
    "xception": 20_861_480 + 2_049,
    "efficientnet_b4": 17_673_823 - 7 + 1_793,
}


@cache
def full_size_cnn():
    return build("cnn", size=256)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_at_256_pixels(name: str) -> None:
    # Those of the published networks do not depend on the size, so they need not be built anew.
    model = full_size_cnn() if name == "cnn" else shared(name)
    assert model.count_params() == PARAMETERS[name]


def test_the_cnn_is_table_3_2_layer_by_layer() -> None:
    blocks = [
        layer
        for size, filters in ((256, 32), (128, 64), (64, 128), (32, 256))
        for layer in (
            ("Conv2D", (size, size, filters)),
            ("Conv2D", (size, size, filters)),
            ("MaxPooling2D", (size // 2, size // 2, filters)),
            ("Dropout", (size // 2, size // 2, filters)),
        )
    ]
    dense = [
        layer
        for units in (512, 128)
        for layer in (("Dense", (units,)), ("BatchNormalization", (units,)), ("Dropout", (units,)))
    ]
    model = full_size_cnn()
    layers = model.get_layer("backbone").layers[1:]
    assert [(type(layer).__name__, layer.output.shape[1:]) for layer in layers] == [
        *blocks,
        ("Flatten", (65_536,)),
        *dense,
    ]
    assert model.input_shape == (None, 256, 256, 3)
    assert model.output_shape == (None, 1)


def test_the_cnn_is_configured_as_table_3_2_says() -> None:
    backbone = shared("cnn").get_layer("backbone")

    def of(kind: str) -> list:
        return [layer for layer in backbone.layers if type(layer).__name__ == kind]

    assert [layer.filters for layer in of("Conv2D")] == [32, 32, 64, 64, 128, 128, 256, 256]
    for layer in of("Conv2D"):
        assert (layer.kernel_size, layer.padding, layer.activation.__name__) == ((3, 3), "same", "relu")
    assert {layer.pool_size for layer in of("MaxPooling2D")} == {(2, 2)}
    assert [layer.rate for layer in of("Dropout")] == [0.25] * 4 + [0.5] * 2
    for layer in of("Dense"):
        assert layer.activation.__name__ == "relu"
        assert float(layer.kernel_regularizer.l2) == pytest.approx(0.01)
    # The first kernels of all: nothing but the dense layers is penalised.
    assert len(shared("cnn").losses) == 2


def test_the_cnn_s_section_reaches_its_layers() -> None:
    model = build("cnn", network=Network(convolution_dropout=0.1, dense_dropout=0.2, l2=0.0))
    rates = [layer.rate for layer in model.get_layer("backbone").layers if hasattr(layer, "rate")]
    assert rates == [0.1] * 4 + [0.2] * 2


@pytest.mark.parametrize("name", NAMES)
def test_the_head_is_one_sigmoid_unit(name: str) -> None:
    model = shared(name)
    head = model.layers[-1]
    assert (head.name, head.units, head.activation.__name__) == ("p_fake", 1, "sigmoid")
    assert [layer.name for layer in model.layers] == ["image", "scaling", "backbone", "p_fake"]
    assert model.name == name
    p_fake = np.asarray(model(IMAGES))
    assert p_fake.shape == (4, 1)
    assert ((p_fake > 0) & (p_fake < 1)).all()


def test_the_features_are_pooled_ones() -> None:
    features = {name: shared(name).get_layer("backbone").output_shape for name in FINE_TUNED}
    assert features == {
        "resnet50": (None, 2048),
        "xception": (None, 2048),
        "efficientnet_b4": (None, 1792),
    }
    for name in FINE_TUNED:
        assert type(shared(name).get_layer("backbone").layers[-1]).__name__ == "GlobalAveragePooling2D"


def test_the_seed_decides_the_random_weights() -> None:
    one, same, other = (build("cnn", seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# Scaling


@pytest.mark.parametrize("name", NAMES)
def test_eight_bit_and_float_images_give_the_same(name: str) -> None:
    model = shared(name)
    assert np.array_equal(np.asarray(model(IMAGES)), np.asarray(model(IMAGES.astype(np.float32))))


@pytest.mark.parametrize("name", NAMES)
def test_in_unit_mode_the_network_sees_0_to_1(name: str) -> None:
    extremes = np.array([0, 51, 128, 255], np.uint8)[:, None, None, None] * np.ones((SIZE, SIZE, 3), np.uint8)
    seen = backbone_input(shared(name), extremes)
    assert np.allclose(seen, extremes / 255, rtol=1e-6, atol=0)
    assert (seen.min(), seen.max()) == (0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_inside_the_network_scales_a_second_time(name: str, monkeypatch) -> None:
    import keras

    model = shared(name)
    backbone = model.get_layer("backbone")
    assert {type(layer).__name__ for layer in backbone.layers}.isdisjoint({"Rescaling", "Normalization"})
    # And by what its first convolution is fed: the scaled pixels as they are, but for padding.
    first = next(layer for layer in backbone.layers if isinstance(layer, keras.layers.Conv2D))
    fed, convolve = [], first.call

    def call(inputs):
        fed.append(np.asarray(inputs))
        return convolve(inputs)

    monkeypatch.setattr(first, "call", call)
    model(IMAGES)
    margin = (fed[0].shape[1] - SIZE) // 2
    inner = fed[0][:, margin : margin + SIZE, margin : margin + SIZE]
    assert np.array_equal(inner, backbone_input(model, IMAGES))


@pytest.mark.parametrize("name", ["resnet50", "xception"])
def test_native_scaling_is_what_keras_does_before_its_own_network(name: str) -> None:
    from keras.applications import resnet50, xception

    preprocess = {"resnet50": resnet50, "xception": xception}[name].preprocess_input
    expected = preprocess(IMAGES.astype(np.float32))
    assert np.allclose(backbone_input(shared(name, "native"), IMAGES), expected, rtol=0, atol=1e-4)


def test_native_scaling_of_efficientnet_is_imagenet_s_mean_and_deviation() -> None:
    expected = (IMAGES / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    scaling = architecture.find("efficientnet_b4").native
    assert scaling is not None
    assert np.allclose(IMAGES * scaling.scale + scaling.offset, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["resnet50", "xception"])
def test_unit_and_native_see_different_things_with_the_same_weights(name: str) -> None:
    unit, native = shared(name), shared(name, "native")
    assert not np.allclose(backbone_input(unit, IMAGES), backbone_input(native, IMAGES), atol=0.1)
    assert [w.shape for w in unit.get_weights()] == [w.shape for w in native.get_weights()]


@pytest.mark.parametrize(
    ("scaling", "red"),
    [
        ("unit", [0.0, 0.502, 1.0]),
        ("native", [-2.118, 0.074, 2.249]),
        ("literal", [-2.118, -2.109, -2.101]),
    ],
)
def test_what_reaches_the_stem_of_efficientnet_by_scaling(scaling: str, red: list[float]) -> None:
    images = np.zeros((3, SIZE, SIZE, 3), np.float32)
    images[..., 0] = np.array([0, 128, 255])[:, None, None]
    seen = backbone_input(shared("efficientnet_b4", scaling), images)
    assert np.allclose(seen[:, 0, 0, 0], red, rtol=0, atol=5e-4)


def test_literal_scaling_is_keras_own_model_shown_divided_images() -> None:
    import keras

    whole = keras.applications.EfficientNetB4(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    normalized = next(layer for layer in whole.layers if isinstance(layer, keras.layers.Normalization))
    # What its normalisation and the rescaling it adds to ImageNet weights do together.
    normalized.mean, normalized.variance = [
        np.array(of, np.float32).reshape(1, 1, 1, 3)
        for of in ([0.485, 0.456, 0.406], [0.229**2, 0.224**2, 0.225**2])
    ]
    stem = keras.Model(whole.input, normalized.output)
    for scaling, images in (("native", IMAGES), ("literal", IMAGES / 255)):
        seen = backbone_input(shared("efficientnet_b4", scaling), IMAGES)
        assert np.allclose(seen, np.asarray(stem(images.astype(np.float32))), rtol=0, atol=1e-5)


def test_only_what_keras_scales_itself_can_be_scaled_twice() -> None:
    with pytest.raises(UserError, match=r"^models\.xception\.input_scaling: .literal. .* or 'native'$"):
        build("xception", input_scaling="literal")


def test_a_network_without_published_weights_has_no_native_scaling() -> None:
    with pytest.raises(UserError, match=r"^models\.cnn\.input_scaling: .native. is not .* 'unit'$"):
        build("cnn", input_scaling="native")


@pytest.fixture
def mixed_precision():
    import keras

    def use(policy: str) -> None:
        keras.config.set_dtype_policy(policy)

    yield use
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_scaling_and_probability_stay_in_float32_in_mixed_precision(mixed_precision, policy: str) -> None:
    mixed_precision(policy)
    model = build("cnn")
    images = IMAGES + np.float32(0.3)  # no number that 16 bits could hold
    assert np.array_equal(backbone_input(model, images), backbone_input(shared("cnn"), images))
    inside = model.get_layer("backbone").layers[1]
    assert (inside.compute_dtype, inside.variable_dtype) == (policy.removeprefix("mixed_"), "float32")
    p_fake = model(images)
    assert p_fake.dtype == "float32"
    model.set_weights(shared("cnn").get_weights())
    assert np.allclose(np.asarray(model(images)), np.asarray(shared("cnn")(images)), atol=0.02)


# Freezing and batch normalisation


def test_the_first_hundred_layers_of_resnet50_end_inside_conv4_block2() -> None:
    from keras.applications import ResNet50

    model = build("resnet50")
    backbone = model.get_layer("backbone")
    own = ResNet50(include_top=False, weights=None, pooling="avg", input_shape=(SIZE, SIZE, 3))
    assert len(backbone.layers) == 176
    assert [layer.name for layer in backbone.layers[1:]] == [layer.name for layer in own.layers[1:]]
    assert settings("resnet50").frozen_layers == 100
    detector.freeze(model, 100)
    assert [layer.trainable for layer in backbone.layers] == [False] * 100 + [True] * 76
    assert backbone.layers[99].name.startswith("conv4_block2")
    assert backbone.layers[100].name.startswith("conv4_block2")
    frozen = sum(int(np.prod(w.shape)) for layer in backbone.layers[:100] for w in layer.weights)
    assert frozen == model.count_params() - sum(
        int(np.prod(w.shape)) for layer in [*backbone.layers[100:], model.layers[-1]] for w in layer.weights
    )
    assert 4.0e6 < frozen < 4.2e6
    trained = {id(variable) for variable in model.trainable_variables}
    assert not trained & {id(w) for layer in backbone.layers[:100] for w in layer.weights}


@pytest.mark.parametrize("name", NAMES)
def test_more_layers_than_there_are_cannot_be_frozen(name: str) -> None:
    count = len(shared(name).get_layer("backbone").layers)
    with pytest.raises(
        UserError,
        match=rf"^models\.{name}\.network\.frozen_layers: {count + 1} is not allowed: it has {count} layers$",
    ):
        detector.freeze(shared(name), count + 1)


@pytest.mark.parametrize("name", architecture.names())
def test_the_check_of_params_knows_how_many_layers_can_be_frozen(name: str) -> None:
    registered = architecture.find(name)
    if issubclass(registered.network, architecture.FineTuned):
        given = {"frozen_layers": 0, "dropout": 0.2}
        own = registered.network(**{each.name: given[each.name] for each in fields(registered.network)})
        assert registered.layers == len(registered.backbone(32, own, None).layers)
    else:
        assert registered.layers is None


def test_frozen_batch_normalisation_is_in_inference_mode() -> None:
    import keras

    model = build("resnet50")
    detector.freeze(model, 100)
    backbone = model.get_layer("backbone")
    before = {w.path: np.asarray(w) for w in backbone.non_trainable_variables if "moving" in w.path}
    model(IMAGES, training=True)
    changed = {
        w.path
        for w in backbone.non_trainable_variables
        if w.path in before and (np.asarray(w) != before[w.path]).any()
    }
    normalising = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    frozen = {w.path for layer in normalising if layer in backbone.layers[:100] for w in layer.weights}
    trained = {w.path for layer in normalising if layer in backbone.layers[100:] for w in layer.weights}
    assert len(changed) > 0
    assert not changed & frozen
    assert changed <= trained


@pytest.mark.parametrize("name", NAMES)
def test_the_momentum_of_all_batch_normalisation_is_set_however_deep(name: str) -> None:
    import keras

    model = build("cnn") if name == "cnn" else shared(name)
    nested = [
        layer
        for layer in model.get_layer("backbone").layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    before = [layer.momentum for layer in nested]
    found = {"cnn": 2, "resnet50": 53, "xception": 40, "efficientnet_b4": 96, "efficientnet_lite0": 49}
    assert len(nested) == found[name]
    try:
        detector.set_batch_norm_momentum(model, 0.75)
        assert {layer.momentum for layer in nested} == {0.75}
        outer = keras.Sequential([keras.Sequential([keras.layers.BatchNormalization()])])
        detector.set_batch_norm_momentum(outer, 0.5)
        assert outer.layers[0].layers[0].momentum == 0.5
    finally:
        for layer, momentum in zip(nested, before, strict=True):
            layer.momentum = momentum
