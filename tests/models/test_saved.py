"""Saved detectors: the same bytes for the same model, the same outputs when loaded, nothing else inside."""

import json
import re
import time
import zipfile
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepfake_ensemble.models import saved
from networks import STUDY, build, layers_of, shared
from pictures import picture

# Keras' own: how it turns its variables into arrays, and what it skips in files of another network.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning"),
]

IMAGES = np.stack([np.asarray(picture(seed)) for seed in range(4)])
ACCOUNT = {"params": {"seed": 42}, "digest": "0123"}


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "cnn.keras"
    saved.save(shared("cnn"), path, ACCOUNT)
    return path


def probabilities(model) -> np.ndarray:
    return np.asarray(model(IMAGES))


@pytest.mark.parametrize("name", STUDY)
def test_each_detector_is_the_same_after_saving_and_loading(name: str, tmp_path: Path) -> None:
    model = shared(name)
    saved.save(model, tmp_path / "model.keras", ACCOUNT)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    loaded = saved.load(tmp_path / "model.keras")
    assert (loaded.name, loaded.input_shape, loaded.count_params()) == (
        model.name,
        model.input_shape,
        model.count_params(),
    )
    assert np.array_equal(probabilities(loaded), probabilities(model))


def test_native_scaling_is_saved_with_the_channels_order(tmp_path: Path) -> None:
    model = shared("resnet50", "native")  # blue, green, red
    saved.save(model, tmp_path / "model.keras", ACCOUNT)
    loaded = saved.load(tmp_path / "model.keras")
    assert np.array_equal(probabilities(loaded), probabilities(model))


def test_files_of_weights_do_not_depend_on_the_scaling(tmp_path: Path) -> None:
    # `initialise` builds every detector in unit mode, `train` as params.yaml says.
    content: dict[str, dict[str, bytes]] = {"unit": {}, "native": {}}
    for scaling, weights in content.items():
        file = tmp_path / f"{scaling}.weights.h5"
        shared("resnet50", scaling).save_weights(file)
        with h5py.File(file) as opened:
            for layer in layers_of(file.read_bytes()):
                for name, values in opened[f"{layer}/vars"].items():
                    weights[f"{layer}/{name}"] = np.asarray(values).tobytes()
    assert len(content["unit"]) == 320
    assert content["unit"] == content["native"]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_saved_and_loaded_into_a_process_without_it(tmp_path: Path, policy: str) -> None:
    import keras

    keras.config.set_dtype_policy(policy)
    try:
        model = build("cnn")
    finally:
        keras.config.set_dtype_policy("float32")
    saved.save(model, tmp_path / "model.keras", ACCOUNT)
    loaded = saved.load(tmp_path / "model.keras")
    assert loaded.get_layer("backbone").layers[1].compute_dtype == policy.removeprefix("mixed_")
    assert probabilities(loaded).dtype == np.float32
    assert np.array_equal(probabilities(loaded), probabilities(model))


def test_saving_again_later_gives_the_same_bytes(cnn: Path, tmp_path: Path) -> None:
    time.sleep(2.1)  # a zip counts time in steps of two seconds
    saved.save(shared("cnn"), tmp_path / "again.keras", ACCOUNT)
    assert (tmp_path / "again.keras").read_bytes() == cnn.read_bytes()


def test_what_was_loaded_is_saved_as_the_same_bytes(cnn: Path, tmp_path: Path) -> None:
    saved.save(saved.load(cnn), tmp_path / "again.keras", ACCOUNT)
    with zipfile.ZipFile(cnn) as one, zipfile.ZipFile(tmp_path / "again.keras") as other:
        assert one.read("model.weights.h5") == other.read("model.weights.h5")


def test_another_weight_gives_other_bytes(cnn: Path, tmp_path: Path) -> None:
    model = build("cnn")
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] += 1e-6
    model.set_weights(weights)
    saved.save(model, tmp_path / "other.keras", ACCOUNT)
    with zipfile.ZipFile(cnn) as one, zipfile.ZipFile(tmp_path / "other.keras") as other:
        assert one.read("model.weights.h5") != other.read("model.weights.h5")


def test_the_fingerprint_is_inside_and_no_date(cnn: Path) -> None:
    with zipfile.ZipFile(cnn) as file:
        names = file.namelist()
        assert names == ["config.json", "metadata.json", "model.weights.h5", "fingerprint.json"]
        assert json.loads(file.read("fingerprint.json")) == ACCOUNT
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert set(json.loads(file.read("metadata.json"))) == {"keras_version"}
        content = b"".join(file.read(name) for name in names)
    year = str(datetime.now().year).encode()
    for separator in (b"-", b"/"):
        assert year + separator not in content


def test_no_address_in_memory_is_inside(cnn: Path) -> None:
    # Keras marks objects that occur twice, such as the precision of all layers, by where they lie.
    with zipfile.ZipFile(cnn) as file:
        marks = re.findall(r'"shared_object_id": (\d+)', file.read("config.json").decode())
    assert len(marks) > 1
    assert set(map(int, marks)) == set(range(1, len(set(marks)) + 1))


def test_only_inference_is_saved_not_the_optimizer(tmp_path: Path) -> None:
    model = build("cnn")
    saved.save(model, tmp_path / "before.keras", ACCOUNT)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    saved.save(model, tmp_path / "compiled.keras", ACCOUNT)
    assert (tmp_path / "compiled.keras").read_bytes() == (tmp_path / "before.keras").read_bytes()
    model.train_on_batch(IMAGES, np.ones((4, 1)))
    saved.save(model, tmp_path / "trained.keras", ACCOUNT)
    size = (tmp_path / "trained.keras").stat().st_size
    assert size == (tmp_path / "before.keras").stat().st_size  # Adam would make it three times as large
    loaded = saved.load(tmp_path / "trained.keras")
    assert not loaded.compiled
    assert np.array_equal(probabilities(loaded), probabilities(model))


def test_frozen_layers_stay_frozen(tmp_path: Path) -> None:
    model = build("cnn")
    model.get_layer("backbone").layers[1].trainable = False
    saved.save(model, tmp_path / "model.keras", ACCOUNT)
    layers = saved.load(tmp_path / "model.keras").get_layer("backbone").layers
    assert [layer.trainable for layer in layers[1:3]] == [False, True]


def test_a_failure_while_saving_keeps_the_old_file_and_nothing_else(cnn: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        saved.save(shared("cnn"), path, {"not JSON": object()})
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    assert path.read_bytes() == b"old"


# Files of weights alone


def test_weights_come_back(tmp_path: Path) -> None:
    file = tmp_path / "cnn.weights.h5"
    shared("cnn").save_weights(file)
    model = build("cnn", seed=5)
    saved.load_weights(model, file)
    assert np.array_equal(probabilities(model), probabilities(shared("cnn")))
