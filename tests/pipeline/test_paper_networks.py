"""The study's networks as the profile `paper` trains them: 256 pixels, ImageNet's weights, frozen layers.

The stages run as they are. Only the weights are ours (random, but in files such as Keras publishes), and so
the registry is told another address and check sum for them.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import file_server
from clones import ROOT, Clone
from deepfake_ensemble.reading import records

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

SIZE = 256
TRANSFERRED = {"resnet50": "ResNet50", "xception": "Xception", "efficientnet_b4": "EfficientNetB4"}
MODELS = ("cnn", *TRANSFERRED)

# A stage in a process of its own, as DVC runs it, but with this address in the registry; and TensorFlow does
# each operation as it comes: one step would be a tenth of the time that its graph takes to build.
STAGE = """
import dataclasses, importlib, sys
from deepfake_ensemble.models.architecture import WeightsFile
from deepfake_ensemble.models import session

def start(*arguments, start=session.start):
    start(*arguments)
    import tensorflow as tf
    tf.config.run_functions_eagerly(True)

session.start = start
stage, model, url, checksum = sys.argv[1:]
module = importlib.import_module(f"deepfake_ensemble.architectures.{model}")
if module.ARCHITECTURE.imagenet is not None:
    module.ARCHITECTURE = dataclasses.replace(module.ARCHITECTURE, imagenet=WeightsFile(url, checksum))
importlib.import_module(f"deepfake_ensemble.studies.ensemble.stages.{stage}").main(model)
"""


def publish(model: str, path: Path) -> None:
    """Write weights as Keras publishes them: without the classifier, in its old HDF5 layout."""
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    keras.utils.set_random_seed(1)
    application = getattr(keras.applications, TRANSFERRED[model])
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, application(include_top=False, weights=None))


def photographs(count: int) -> Iterator[tuple[str, int, bytes]]:
    rng = np.random.default_rng(0)
    for i in range(count):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(file, "JPEG")
        yield f"{i}.jpg", i % 2, file.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which all four networks have been initialised and have taken one step."""
    folder = tmp_path_factory.mktemp("networks")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    Clone(folder).set_params({"profile": "paper", "training.epochs": 1})
    for split, count in (("train", 4), ("val", 2)):
        (folder / "data/packed/internal" / split).mkdir(parents=True)
        records.write(folder / "data/packed/internal" / split, photographs(count), count, per_shard=count)
    (folder / "published").mkdir()
    files = {f"{model}.h5": folder / "published" / f"{model}.h5" for model in TRANSFERRED}
    for model in TRANSFERRED:
        publish(model, files[f"{model}.h5"])

    with file_server.serve(files) as server:

        def start_and_step(model: str) -> None:
            file = files.get(f"{model}.h5")
            checksum = f"md5:{hashlib.md5(file.read_bytes()).hexdigest()}" if file else ""
            for stage in ("initialise", "train"):
                done = subprocess.run(
                    [sys.executable, "-c", STAGE, stage, model, f"{server.url}/{model}.h5", checksum],
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "42"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stderr[-3000:]

        with ThreadPoolExecutor(2) as pool:  # most of the time is one thread's
            list(pool.map(start_and_step, reversed(MODELS)))
        assert sorted(request.path for request in server.requests) == sorted(f"/{name}" for name in files)
    yield folder
    shutil.rmtree(folder)


Weights = dict[tuple[str, str], np.ndarray]


def weights(file: h5py.File | h5py.Group) -> Weights:
    """Return all arrays of a file of weights by (layer, number)."""
    found: Weights = {}

    def visit(path: str, node: h5py.Dataset | h5py.Group) -> None:
        # The states of random generators are no weights.
        if isinstance(node, h5py.Dataset) and "seed_generator" not in path:
            found[node.parent.attrs["name"], path.rpartition("/")[2]] = node[...]

    file.visititems(visit)
    return found


def initial(folder: Path, model: str) -> Weights:
    with h5py.File(folder / "models/initial" / f"{model}.weights.h5") as file:
        return weights(file)


def after_a_step(folder: Path, model: str) -> Weights:
    with zipfile.ZipFile(folder / "models" / f"{model}.keras") as archive:
        data = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(data) as file:
        return weights(file)


def published(folder: Path, model: str) -> list[np.ndarray]:
    with h5py.File(folder / "published" / f"{model}.h5") as file:
        layers = [file[name] for name in file.attrs["layer_names"]]
        return [layer[name][...] for layer in layers for name in layer.attrs["weight_names"]]


def backbone(model: str):
    """Build Keras' own network without its classifier, to compare with."""
    import keras

    return getattr(keras.applications, TRANSFERRED[model])(include_top=False, weights=None)


def test_the_cnn_has_the_parameters_of_table_3_2(trained):
    assert sum(array.size for array in after_a_step(trained, "cnn").values()) == 34_795_553


@pytest.mark.parametrize("model", TRANSFERRED)
def test_the_others_have_those_of_keras_networks_and_one_output_unit(trained, model):
    from keras.layers import Normalization

    network = backbone(model)
    # EfficientNet's first layers scale its input, which is done before the network here.
    scaling = sum(layer.count_params() for layer in network.layers if isinstance(layer, Normalization))
    head = network.output_shape[-1] + 1
    counted = sum(array.size for array in after_a_step(trained, model).values())
    assert counted == network.count_params() - scaling + head


@pytest.mark.parametrize("model", TRANSFERRED)
def test_training_starts_from_the_published_weights(trained, model):
    start = {key: array for key, array in initial(trained, model).items() if key[0] != "p_fake"}
    remaining = [array.tobytes() for array in published(trained, model)]
    for key, array in start.items():
        assert array.tobytes() in remaining, key
        remaining.remove(array.tobytes())


@pytest.mark.parametrize("model", MODELS)
def test_a_step_changes_every_layer_that_is_not_frozen_and_no_other(trained, model):
    before, after = initial(trained, model), after_a_step(trained, model)
    assert before.keys() == after.keys()
    changed = {layer for layer, number in before if (before[layer, number] != after[layer, number]).any()}
    frozen = {layer.name for layer in backbone(model).layers[:100]} if model == "resnet50" else set()
    assert changed == {layer for layer, _ in before} - frozen


@pytest.mark.parametrize("model", MODELS)
def test_what_a_step_leaves_is_finite(trained, model):
    assert all(np.isfinite(array).all() for array in after_a_step(trained, model).values())
