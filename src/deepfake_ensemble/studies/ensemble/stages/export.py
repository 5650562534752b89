"""Write the ensemble as one ONNX file, which runs without TensorFlow, and check it against predictions."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.foundation import command, params

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from deepfake_ensemble.portable.settings import WeightsKeptAs
    from deepfake_ensemble.reading.batches import BatchReader

FILE = Path("models/ensemble.onnx")
TOLERANCE = {"float32": 1e-4, "float16": 5e-2}
_BATCH = 64


def main() -> None:
    """Write `models/ensemble.onnx`."""
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    from deepfake_ensemble.comparison.comparison import Comparison
    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.settings import EvaluationParams, split_of
    from deepfake_ensemble.evaluation.weighting import with_ensemble
    from deepfake_ensemble.foundation.files import read_result, replacing_file, sha256
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.foundation.section import INTERNAL, ImageSize, Interpolation
    from deepfake_ensemble.portable import feature_distance, out_of_distribution, parity, summary
    from deepfake_ensemble.portable.classifier import Classifier
    from deepfake_ensemble.portable.graph import add_distance, to_bytes
    from deepfake_ensemble.portable.metadata import FORMAT, ModelMetadata
    from deepfake_ensemble.portable.settings import ExportParams
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    data_sets = params.read("data_sets", dict[str, DataSet])
    used: dict[str, Any] = {
        f"{profile}.image_size": (size := params.read(f"{profile}.image_size", ImageSize)),
        f"{profile}.source": (source := params.read(f"{profile}.source", Source)),
        f"{profile}.processor": processor,
        "resizing.interpolation": (interpolation := params.read("resizing.interpolation", Interpolation)),
        "export.weights": (kept_as := params.read("export", ExportParams).weights),
        "evaluation.ece_bins": (bins := params.read("evaluation", EvaluationParams).ece_bins),
        **{f"data_sets.{name}": it for name, it in data_sets.items()},
    }
    weights_path = Path("reports/ensemble/weights.json")
    weights = weights_file.read(weights_path)
    files = {model: Path("models") / f"{model}.keras" for model in weights}
    measured_on = [INTERNAL, *(name for name in data_sets if name != INTERNAL)]
    comparisons = {name: Path("reports/comparison") / f"{name}.json" for name in measured_on}
    compared = {name: read_result(path, Comparison) for name, path in comparisons.items()}

    packed = {split: Path("data/packed") / INTERNAL / split for split in ("val", "test")}
    packed |= {name: Path("data/packed") / name for name in measured_on if name != INTERNAL}
    images = {split: PackedImages(folder) for split, folder in packed.items()}
    readers = {split: BatchReader(of, size, interpolation, processor.readers) for split, of in images.items()}
    predicted = {
        split: with_ensemble(weights, read_split(weights, split, images[split].paths).p_fake)
        for split in map(split_of, measured_on)
    }
    with count_progress("learn what images look like", sum(map(len, images.values()))) as advance:
        seen = {
            split: out_of_distribution.features_of(reader.in_order(_BATCH), advance)
            for split, reader in readers.items()
        }
    usual = out_of_distribution.fit(seen["val"])

    network = _network(files, weights, size, kept_as)
    features = _features(network, readers, processor.threads)
    like_validation = feature_distance.fit(features["val"])
    add_distance(network, like_validation)
    feature_limit = feature_distance.limit(features["val"])
    metadata = ModelMetadata(
        format=FORMAT,
        labels={"0": "real", "1": "fake"},
        image_size=size,
        interpolation=interpolation,
        weights=weights,
        models={model: sha256(file) for model, file in files.items()},
        profile=profile.rpartition(".")[2],
        demonstration=source == "sample",
        faces=data_sets[INTERNAL].layout == "faces" and source != "sample",
        trained_on=summary.description(data_sets[INTERNAL], source),
        operating_points=summary.operating_points(compared[INTERNAL]),
        measured=tuple(
            summary.data_set_results(
                name,
                summary.description(data_sets[name], source),
                compared[name],
                labels=images[split_of(name)].labels,
                p_fake=predicted[split_of(name)],
                unlike_pixels=out_of_distribution.scores(seen[split_of(name)], usual) > usual.limit,
                unlike_features=feature_distance.distances(features[split_of(name)], like_validation)
                > feature_limit,
                bins=bins,
            )
            for name in measured_on
        ),
        typical=usual,
        feature_limit=feature_limit,
        weights_kept_as=kept_as,
        parity=0.0,
        licence=summary.LICENCE,
        limits=summary.LIMITS,
        fingerprint=fingerprint(
            used, [weights_path, *comparisons.values(), *files.values(), *packed.values()]
        ),
    )
    with replacing_file(FILE) as partial:
        partial.write_bytes(to_bytes(network, metadata))
        classifier = Classifier(partial, processor.threads)
        with count_progress("compare with the stored predictions", len(images["test"])) as advance:
            batches = readers["test"].in_order(_BATCH)
            apart = parity.check(
                classifier, batches, predicted["test"], advance, tolerance=TOLERANCE[kept_as]
            )
        partial.write_bytes(to_bytes(network, replace(metadata, parity=apart)))
    print(f"on all {len(images['test']):,} test images it is within {apart:.1e} of the stored predictions")


def _network(
    files: Mapping[str, Path], weights: Mapping[str, float], size: int, kept_as: "WeightsKeptAs"
) -> "onnx.ModelProto":
    """Return the members and their ensemble as one graph."""
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.models import session
    from deepfake_ensemble.portable.graph import convert, halve_weights, join

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # so that constants are folded as on any other machine
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    with count_progress("convert detectors", len(files)) as advance:
        network = join(convert(files, advance), weights, size)
    if kept_as == "float16":
        halve_weights(network)
    return network


def _features(
    network: "onnx.ModelProto", readers: "Mapping[str, BatchReader]", threads: int
) -> "dict[str, NDArray[np.float64]]":
    """Return what the networks make of the images of each split, or of as many as are asked."""
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.portable.classifier import inference_session
    from deepfake_ensemble.portable.feature_distance import features_of, spread
    from deepfake_ensemble.portable.graph import INPUT, showing_features

    session = inference_session(showing_features(network).SerializeToString(), threads)

    def run(seen: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        return session.run(None, {INPUT: seen})[0]

    asked = sum(len(spread(len(reader))) for reader in readers.values())
    with count_progress("learn what the networks make of them", asked) as advance:
        return {split: features_of(run, reader, _BATCH, advance) for split, reader in readers.items()}


if __name__ == "__main__":
    command.run(main)
