"""How far images lie from those of validation, in what the networks make of them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deepfake_ensemble.portable import feature_distance
from deepfake_ensemble.portable.classifier import inference_session
from deepfake_ensemble.portable.feature_distance import distances, fit, limit, spread
from deepfake_ensemble.portable.graph import add_distance, halve_weights, join, showing_features
from deepfake_ensemble.portable.metadata import DISTANCE

SIZE = 4
WIDTH = 60


@pytest.fixture(scope="module")
def usual() -> np.ndarray:
    """Features that lie in a few directions, and a little beside them."""
    rng = np.random.default_rng(1)
    return (
        rng.normal(size=(400, 3)) @ rng.normal(size=(3, WIDTH)) + rng.normal(scale=0.1, size=(400, WIDTH)) + 5
    )


def member(name: str, seed: int) -> onnx.GraphProto:
    """A detector of one hidden layer, that ends as the real ones do."""
    rng = np.random.default_rng(seed)
    constants = {
        "in": rng.normal(size=(SIZE * SIZE * 3, WIDTH)),
        "out": rng.normal(size=(WIDTH, 1)) / 100,
        "shape": np.array([-1, SIZE * SIZE * 3]),
        "axis": np.array([1]),
    }
    steps = [
        ("Cast", ["image"], "float", {"to": TensorProto.FLOAT}),
        ("Reshape", [f"{name}/float", f"{name}/shape"], "flat", {}),
        ("MatMul", [f"{name}/flat", f"{name}/in"], "sums", {}),
        ("Relu", [f"{name}/sums"], "hidden", {}),
        ("MatMul", [f"{name}/hidden", f"{name}/out"], "logit", {}),
        ("Sigmoid", [f"{name}/logit"], "p", {}),
    ]
    nodes = [helper.make_node(op, inputs, [f"{name}/{out}"], **more) for op, inputs, out, more in steps]
    nodes.append(helper.make_node("Squeeze", [f"{name}/p", f"{name}/axis"], [name]))
    numbers = [
        numpy_helper.from_array(
            value.astype(np.float32) if value.dtype == float else value.astype(np.int64), f"{name}/{key}"
        )
        for key, value in constants.items()
    ]
    return helper.make_graph(nodes, name, [], [], numbers)


@pytest.fixture
def network() -> onnx.ModelProto:
    return join({"one": member("one", 1), "two": member("two", 2)}, {"one": 0.5, "two": 0.5}, SIZE)


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def test_what_lies_in_a_direction_that_is_not_usual_is_far(usual):
    found = fit(usual)
    near = distances(usual, found)
    beside = np.random.default_rng(2).normal(size=(1, WIDTH))
    along = usual[:1] - usual.mean(axis=0)
    moved = beside / np.linalg.norm(beside) * np.linalg.norm(along)
    assert distances(usual.mean(axis=0) + moved, found)[0] > 5 * near.max()


def test_with_as_many_axes_as_features_it_is_the_mahalanobis_distance(monkeypatch):
    monkeypatch.setattr(feature_distance, "COMPONENTS", 5)
    features = np.random.default_rng(3).normal(size=(500, 6)) * np.array([1, 2, 3, 4, 5, 0.5]) + 1
    found = distances(features, fit(features))
    apart = features - features.mean(axis=0)
    inverse = np.linalg.inv(np.cov(features, rowvar=False))
    # The sixth variance is what is left for "any other axis", of which there is one.
    assert found == pytest.approx(np.sqrt(np.einsum("ij,jk,ik->i", apart, inverse, apart)), rel=0.01)


def test_of_images_that_are_like_validation_about_one_in_a_hundred_is_beyond_the_limit(usual):
    rng = np.random.default_rng(4)
    fitted = usual[:200]
    assert 0 <= (distances(usual[200:], fit(fitted)) > limit(fitted)).mean() < 0.05
    assert (distances(rng.normal(size=(50, WIDTH)), fit(fitted)) > limit(fitted)).all()


def test_features_that_never_vary_make_nothing_infinitely_far(usual):
    constant = np.concatenate([usual, np.full((400, 3), 7.0)], axis=1)
    assert np.isfinite(distances(constant + 1e-9, fit(constant))).all()
    assert np.isfinite(distances(np.ones((2, 4)), fit(np.ones((30, 4))))).all()


def test_many_images_are_sampled_evenly():
    assert spread(7).tolist() == list(range(7))
    many = spread(100_000)
    assert len(many) == feature_distance.IMAGES and (many[0], many[-1]) == (0, 99_999)
    assert np.ptp(np.diff(many)) <= 1


def test_the_file_gives_the_distance_that_is_computed_outside_of_it(network):
    probe = inference_session(showing_features(network).SerializeToString())
    features, seen = (
        probe.run(None, {"image": images(count, seed=count)})[0].astype(np.float64) for count in (50, 9)
    )
    assert features.shape == (50, 2 * WIDTH)
    usual = fit(features)
    add_distance(network, usual)
    run = inference_session(network.SerializeToString())
    assert [each.name for each in run.get_outputs()] == ["one", "two", "ensemble", DISTANCE]
    found = run.run([DISTANCE], {"image": images(9, seed=9)})[0]
    assert found == pytest.approx(distances(seen, usual), rel=1e-3)


def test_weights_of_half_the_bytes_give_nearly_the_same(network):
    before = inference_session(network.SerializeToString()).run(["ensemble"], {"image": images(9)})[0]
    size = network.ByteSize()
    halve_weights(network)
    onnx.checker.check_model(network)
    after = inference_session(network.SerializeToString()).run(["ensemble"], {"image": images(9)})[0]
    assert network.ByteSize() < 0.6 * size
    assert 0 < np.abs(after - before).max() < 0.01
