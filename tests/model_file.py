"""A model file whose detectors are plain arithmetic: soon made, and run by the runtime of the real one."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from deepfake_ensemble.comparison.intervals import Interval, wilson
from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.evaluation.weighting import with_ensemble
from deepfake_ensemble.portable import out_of_distribution, summary
from deepfake_ensemble.portable.graph import to_bytes
from deepfake_ensemble.portable.metadata import DEFAULT, DISTANCE, FORMAT, ModelMetadata
from pictures import encoded, picture

SIZE = 32
WEIGHTS = {"cnn": 0.25, "resnet50": 0.25, "xception": 0.3, "efficientnet_b4": 0.2}
# P(fake) of each member is sigmoid(slope * (mean pixel - centre)).
SLOPES = {"cnn": 0.02, "resnet50": 0.05, "xception": -0.01, "efficientnet_b4": 0.08}
CENTRE = 127.0
ALONE = {"efficientnet_b4": 1.0}  # weights of a file with one detector
FEATURE_LIMIT = 100.0  # of how far the mean pixel is from CENTRE


def p_fake(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the file's detectors say of images (n, SIZE, SIZE, 3)."""
    mean = pixels.mean(axis=(1, 2, 3))
    members = {name: 1 / (1 + np.exp(-slope * (mean - CENTRE))) for name, slope in SLOPES.items()}
    return with_ensemble(WEIGHTS, members)


def metadata(**changes: Any) -> ModelMetadata:
    """Return an account of it; what was measured is invented from random labels."""
    rng, weights = np.random.default_rng(5), changes.get("weights", WEIGHTS)
    seen = np.stack([out_of_distribution.features(np.asarray(picture(seed))) for seed in range(60)])
    usual = out_of_distribution.fit(seen)
    measured = []
    for name, data in (("internal", "faces, invented"), ("cifake", "cifake, invented")):
        labels = np.arange(200) % 2
        p = {member: np.clip(labels * 0.4 + rng.uniform(0, 0.6, 200), 0, 1) for member in weights}
        p = with_ensemble(weights, p)
        thresholds = {DEFAULT: 0.5, "youden": 0.4321, "fpr_1_permille": None}
        compared = SimpleNamespace(
            confidence=0.95,
            detectors={name: SimpleNamespace(accuracy=_interval(labels, each)) for name, each in p.items()},
            operating_points={
                name: {point: SimpleNamespace(threshold=it) for point, it in thresholds.items()} for name in p
            },
        )
        measured.append(
            summary.data_set_results(
                name,
                data,
                compared,
                labels=labels,
                p_fake=p,
                unlike_pixels=labels == (name == "internal"),
                unlike_features=labels > 2,
                bins=15,
            )
        )
    return ModelMetadata(
        **{
            "format": FORMAT,
            "labels": {"0": "real", "1": "fake"},
            "image_size": SIZE,
            "interpolation": "bilinear",
            "weights": weights,
            "models": dict.fromkeys(weights, "0" * 64),
            "profile": "sample",
            "demonstration": True,
            "faces": False,
            "trained_on": "faces, invented",
            "operating_points": summary.operating_points(compared),
            "measured": tuple(measured),
            "typical": usual,
            "feature_limit": FEATURE_LIMIT,
            "weights_kept_as": "float32",
            "parity": 1e-7,
            "licence": "none",
            "limits": ("It is arithmetic.",),
            "fingerprint": {"digest": "f" * 64},
        }
        | changes
    )


def _interval(labels: np.ndarray, p: np.ndarray) -> Interval:
    return wilson(round(metrics(labels, p).accuracy * len(labels)), len(labels))


def write(path: Path, about: ModelMetadata | None = None) -> Path:
    """Write the model file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = about or metadata()
    path.write_bytes(to_bytes(network(about.weights), about))
    return path


def network(weights: Mapping[str, float] = WEIGHTS) -> onnx.ModelProto:
    """Return the graph: the same ends as the real one's."""
    names = [*weights, "ensemble", DISTANCE]
    constants = {"axes": np.array([1, 2, 3]), "centre": np.float32(CENTRE)}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "centre"], ["apart"]),
    ]
    for name, weight in weights.items():
        constants |= {f"{name}/slope": np.float32(SLOPES[name]), f"{name}/weight": np.float32(weight)}
        nodes += [
            helper.make_node("Mul", ["apart", f"{name}/slope"], [f"{name}/logit"]),
            helper.make_node("Sigmoid", [f"{name}/logit"], [name]),
            helper.make_node("Mul", [name, f"{name}/weight"], [f"{name}/share"]),
        ]
    nodes.append(helper.make_node("Sum", [f"{name}/share" for name in weights], ["ensemble"]))
    nodes.append(helper.make_node("Abs", ["apart"], [DISTANCE]))
    graph = helper.make_graph(
        nodes,
        "arithmetic",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in names],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def folder_of_pictures(folder: Path, count: int, **options: Any) -> Path:
    """Fill a folder with JPEGs."""
    folder.mkdir(parents=True)
    for seed in range(count):
        (folder / f"{seed:05}.jpg").write_bytes(encoded(picture(seed, **options)))
    return folder
