"""The real detectors as ONNX: the same probabilities as Keras', and names that depend on nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import networks
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture, saved
from deepfake_ensemble.portable.classifier import inference_session
from deepfake_ensemble.portable.graph import canonical, convert, convert_detector, join

MODELS = list(params.read("models", dict, Path(__file__).parents[2] / "params.yaml"))
WEIGHTS = {name: 1 / len(MODELS) for name in MODELS}


def graph(weights, scaling="unit") -> onnx.ModelProto:
    members = {name: convert_detector(name, networks.shared(name, scaling)) for name in weights}
    return join(members, weights, networks.SIZE)


def session(model: onnx.ModelProto):
    return inference_session(model.SerializeToString())


@pytest.mark.networks
@pytest.mark.parametrize(
    ("name", "scaling"),
    [
        *((name, "unit") for name in MODELS),
        *((name, "native") for name in MODELS if architecture.find(name).native is not None),
    ],
)
def test_a_detector_says_the_same_in_onnx(name, scaling):
    detector = networks.shared(name, scaling)
    images = np.random.default_rng(3).integers(0, 256, (3, networks.SIZE, networks.SIZE, 3), dtype=np.uint8)
    expected = detector(images.astype(np.float32), training=False).numpy()[:, 0]
    found = session(graph({name: 1.0}, scaling)).run([name, "ensemble"], {"image": images})
    assert np.ptp(expected) > 0
    for p_fake in found:
        assert p_fake == pytest.approx(expected, abs=1e-5)


@pytest.mark.networks
def test_the_ensemble_is_the_weighted_sum_for_any_number_of_images():
    weights = {"cnn": 0.25, "resnet50": 0.75}
    run = session(graph(weights))
    for count in (1, 5):
        images = np.random.default_rng(4).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        found = dict(zip(("cnn", "resnet50", "ensemble"), run.run(None, {"image": images}), strict=True))
        expected = sum(weight * found[name] for name, weight in weights.items())
        assert found["ensemble"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.networks
def test_on_a_processor_which_images_are_computed_together_changes_no_bit():
    run, names = session(graph({"cnn": 0.25, "resnet50": 0.75})), ["cnn", "resnet50", "ensemble"]
    images = np.random.default_rng(5).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    by_size = {}
    for size in (1, 5, 32):
        some = [run.run(names, {"image": images[k : k + size]}) for k in range(0, len(images), size)]
        by_size[size] = [np.concatenate(each) for each in zip(*some, strict=True)]
    assert all(np.ptp(each) > 0 for each in by_size[1])
    for size in (5, 32):
        for name, alone, together in zip(names, by_size[1], by_size[size], strict=True):
            assert np.array_equal(alone, together), (name, size)


@pytest.mark.networks
def test_saved_detectors_convert_one_after_the_other_as_if_each_were_alone(tmp_path: Path):
    files = {name: tmp_path / f"{name}.keras" for name in ("cnn", "resnet50")}
    for name, file in files.items():
        saved.save(networks.shared(name), file, {})
    advanced: list[int] = []
    found = convert(files, advanced.append)
    assert list(found) == list(files) and advanced == [1] * len(files)
    for name, graph in found.items():
        alone = convert_detector(name, networks.shared(name))
        assert graph.SerializeToString(deterministic=True) == alone.SerializeToString(deterministic=True)


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes | None):
    file = tmp_path / "broken.keras"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=str(file)):
        convert({"broken": file}, lambda count: None)


PROGRAM = """
import random, sys, hashlib
sys.path[:0] = {path!r}
import networks
rng = random.Random({seed})  # objects here and there, so that others lie elsewhere in memory
scattered = [[1] * rng.randrange(40) for _ in range(200_000)]
scattered[:] = [it for it in scattered if rng.random() < 0.5]
from deepfake_ensemble.portable.graph import convert_detector
model = convert_detector("efficientnet_b4", networks.shared("efficientnet_b4"))
print(hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest())
"""


@pytest.mark.networks
def test_the_bytes_are_the_same_in_another_process():
    # With Python's hashes as the stage fixes them: tf2onnx may leave another node out with others.
    root = Path(__file__).parents[2]
    path = [str(root / "src"), str(root / "tests")]
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(path=path, seed=seed)],
            env=os.environ | {"PYTHONHASHSEED": "42", "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[-1]
        for seed, zone in enumerate(("UTC", "Asia/Tokyo", "UTC"), start=2)
    }
    assert len(digests) == 1


@pytest.mark.networks
@pytest.mark.parametrize("before", [None, "TRUE"])
def test_converting_leaves_the_process_as_it_was(monkeypatch: pytest.MonkeyPatch, before: str | None):
    from tf2onnx.graph import Node

    monkeypatch.delenv("TF2ONNX_CATCH_ERRORS", raising=False)
    if before is not None:
        monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", before)
    methods = Node.__hash__, Node.update_proto
    convert_detector("cnn", networks.shared("cnn"))
    assert os.environ.get("TF2ONNX_CATCH_ERRORS") == before
    assert (Node.__hash__, Node.update_proto) == methods


def test_names_and_order_follow_from_what_is_computed_alone():
    def made(names: list[str], swapped: bool) -> onnx.GraphProto:
        a, b, c, total = names
        nodes = [
            helper.make_node("Neg", ["image"], [a], name=f"first_{a}"),
            helper.make_node("Abs", ["image"], [b], name=f"second_{b}"),
        ]
        if swapped:
            nodes.reverse()
        nodes.append(helper.make_node("Sum", [a, b, c], [total], name=total))
        constant = onnx.numpy_helper.from_array(np.float32(2), c)
        result = helper.make_tensor_value_info(total, onnx.TensorProto.FLOAT, ["n"])
        return helper.make_graph(nodes, "any", [], [result], [constant])

    one = canonical(made(["a", "b", "c", "d"], swapped=False), "cnn")
    other = canonical(made(["x__7", "y__3", "z__1", "w"], swapped=True), "cnn")
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    assert one.node[-1].output == ["cnn"] and one.node[0].input == ["image"]
