"""Saved detectors: the same bytes for the same model, the same outputs when loaded, nothing else inside."""

import io
import json
import re
import time
import zipfile
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepfake_ensemble.errors import UserError
from deepfake_ensemble.models import architecture, saved
from networks import build, shared
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


@pytest.mark.parametrize("name", architecture.names())
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


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        saved.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    message = refusal(tmp_path / "cnn.keras")
    assert "dvc repro" in message
    assert "dvc pull" in message


def test_a_file_cut_off_anywhere_is_refused(cnn: Path, tmp_path: Path) -> None:
    whole = cnn.read_bytes()
    path = tmp_path / "cut.keras"
    for length in (0, 1, 30, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refusal(path)


def rewritten(source: Path, target: Path, **changed: bytes | None) -> Path:
    """Copy a model file with members changed or, if None, left out; dots in names are underscores."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = changed.get(name.replace(".", "_"), old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def test_files_with_foreign_content_are_refused(cnn: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(cnn) as file:
        weights = file.read("model.weights.h5")
        config = json.loads(file.read("config.json"))
    text = json.dumps(config)
    refusal(rewritten(cnn, path, config_json=None))
    refusal(rewritten(cnn, path, config_json=b"{}"))
    refusal(rewritten(cnn, path, config_json=b"\xff\xfe"))
    refusal(rewritten(cnn, path, config_json=b"[" * 100_000))
    refusal(rewritten(cnn, path, config_json=text.replace('"filters": 32', '"filters": 33').encode()))
    refusal(
        rewritten(
            cnn,
            path,
            config_json=text.replace('"class_name": "Conv2D"', '"class_name": "NoSuchLayer"').encode(),
        )
    )
    refusal(rewritten(cnn, path, model_weights_h5=None))
    refusal(rewritten(cnn, path, model_weights_h5=weights[:5000]))
    refusal(rewritten(cnn, path, model_weights_h5=b""))


def test_code_inside_a_model_is_refused_and_not_run(tmp_path: Path) -> None:
    import keras

    trap = tmp_path / "trap"
    image = keras.Input((32, 32, 3))
    poisoned = keras.layers.Lambda(lambda x, touch=trap.touch: (touch(), x)[1])(image)
    model = keras.Model(image, poisoned)
    trap.unlink(missing_ok=True)
    model.save(tmp_path / "lambda.keras")
    assert "arbitrary code execution" in refusal(tmp_path / "lambda.keras")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("keras.src.utils.file_utils", "get_file"),
    ],
)
def test_a_model_cannot_name_functions_of_other_modules(
    cnn: Path, tmp_path: Path, module: str, name: str
) -> None:
    trap = tmp_path / "trap"
    hostile = {
        "module": module,
        "class_name": name,
        "config": {"name": f"touch {trap}", "args": [f"touch {trap}"]},
        "registered_name": name,
    }
    as_layer = json.dumps(
        {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"layers": [hostile]},
            "registered_name": None,
        }
    )
    for config in (json.dumps(hostile), as_layer):
        refusal(rewritten(cnn, tmp_path / "hostile.keras", config_json=config.encode()))
        assert not trap.exists()


def test_a_pickle_is_not_a_model(tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trap",))

    for name in ("model.keras", "model.h5", "model.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        refusal(tmp_path / name)
    assert not (tmp_path / "trap").exists()


def test_a_layer_without_weights_in_the_file_is_not_left_random(cnn: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(cnn) as file:
        content = file.read("model.weights.h5")
    for layer in layers_of(content):
        refusal(rewritten(cnn, tmp_path / "less.keras", model_weights_h5=without(layer, content)))


def layers_of(content: bytes) -> list[str]:
    """Return the groups of a weights file that hold the weights of a layer."""
    groups = []
    with h5py.File(io.BytesIO(content)) as file:
        file.visit(lambda name: groups.append(name.removesuffix("/vars")) if name.endswith("/vars") else None)
        return [group for group in groups if len(file[f"{group}/vars"])]


def without(group: str, content: bytes) -> bytes:
    changed = io.BytesIO(content)
    with h5py.File(changed, "r+") as file:
        del file[group]
    return changed.getvalue()


# Files of weights alone


def test_weights_come_back(tmp_path: Path) -> None:
    file = tmp_path / "cnn.weights.h5"
    shared("cnn").save_weights(file)
    model = build("cnn", seed=5)
    saved.load_weights(model, file)
    assert np.array_equal(probabilities(model), probabilities(shared("cnn")))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "cnn.weights.h5"
    shared("cnn").save_weights(good)
    whole = good.read_bytes()
    cases: dict[str, bytes | None] = {
        "missing": None,
        "empty": b"",
        "text": b"<html></html>",
        "cut": whole[: len(whole) // 2],
        "almost": whole[:-1],
        "start": whole[:4000],
    }
    for number, layer in enumerate(layers_of(whole)):
        cases[f"less{number}"] = without(layer, whole)
    for case, content in cases.items():
        if content is not None:
            (tmp_path / f"{case}.weights.h5").write_bytes(content)
    shared("resnet50").save_weights(tmp_path / "network.weights.h5")
    build("cnn", size=48).save_weights(tmp_path / "size.weights.h5")
    model = build("cnn")
    for case in [*cases, "network", "size"]:
        file = tmp_path / f"{case}.weights.h5"
        with pytest.raises(UserError) as caught:
            saved.load_weights(model, file)
        message = str(caught.value)
        assert message.startswith(f"{file}: "), case
        assert "\n" not in message
        assert "dvc repro" in message
