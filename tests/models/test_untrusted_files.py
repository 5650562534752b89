"""Model files and weights are untrusted: what is not whole, or holds code, is refused and never run."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import saved
from errors_page import Documented
from networks import build, layers_of, shared

# Keras' own: how it turns its variables into arrays, and what it skips in files of another network.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning"),
]


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "cnn.keras"
    saved.save(shared("cnn"), path, {})
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        saved.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_missing_file_says_how_to_get_it(tmp_path: Path, documented: Documented) -> None:
    message = refusal(tmp_path / "cnn.keras")
    assert "dvc repro" in message
    assert "dvc pull" in message
    documented("Model files", "missing", message)


def test_a_file_cut_off_anywhere_is_refused(cnn: Path, tmp_path: Path, documented: Documented) -> None:
    whole = cnn.read_bytes()
    path = tmp_path / "cnn.keras"
    for length in (0, 1, 30, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        message = refusal(path)
    documented("Model files", "cut off", message)


def rewritten(source: Path, target: Path, **changed: bytes | None) -> Path:
    """Copy a model file with members changed or, if None, left out; dots in names are underscores."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = changed.get(name.replace(".", "_"), old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def test_files_with_foreign_content_are_refused(cnn: Path, tmp_path: Path, documented: Documented) -> None:
    path = tmp_path / "cnn.keras"
    with zipfile.ZipFile(cnn) as file:
        weights = file.read("model.weights.h5")
        config = json.loads(file.read("config.json"))
    text = json.dumps(config)
    cases: dict[str, dict[str, bytes | None]] = {
        "without an architecture": {"config_json": None},
        "an empty architecture": {"config_json": b"{}"},
        "an architecture that is not text": {"config_json": b"\xff\xfe"},
        "an architecture nested without end": {"config_json": b"[" * 100_000},
        "weights of another shape": {"config_json": text.replace('"filters": 32', '"filters": 33').encode()},
        "a layer that Keras does not have": {
            "config_json": text.replace('"class_name": "Conv2D"', '"class_name": "NoSuchLayer"').encode()
        },
        "without weights": {"model_weights_h5": None},
        "weights that are cut off": {"model_weights_h5": weights[:5000]},
        "empty weights": {"model_weights_h5": b""},
    }
    for case, changes in cases.items():
        numbered = {r"conv2d_\d+": "conv2d_N"}  # Keras counts the layers of a process
        documented("Model files", case, refusal(rewritten(cnn, path, **changes)), numbered)


def test_code_inside_a_model_is_refused_and_not_run(tmp_path: Path, documented: Documented) -> None:
    import keras

    trap = tmp_path / "trap"
    image = keras.Input((32, 32, 3))
    poisoned = keras.layers.Lambda(lambda x, touch=trap.touch: (touch(), x)[1])(image)
    model = keras.Model(image, poisoned)
    trap.unlink(missing_ok=True)
    model.save(tmp_path / "lambda.keras")
    message = refusal(tmp_path / "lambda.keras")
    assert "arbitrary code execution" in message
    assert not trap.exists()
    documented("Model files", "code in a Lambda layer", message)


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


def test_a_pickle_is_not_a_model(tmp_path: Path, documented: Documented) -> None:
    import pickle

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trap",))

    for name in ("model.keras", "model.h5", "model.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        documented("Model files", f"a pickle named {name}", refusal(tmp_path / name))
    assert not (tmp_path / "trap").exists()


def test_a_layer_without_weights_in_the_file_is_not_left_random(cnn: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(cnn) as file:
        content = file.read("model.weights.h5")
    for layer in layers_of(content):
        refusal(rewritten(cnn, tmp_path / "less.keras", model_weights_h5=without(layer, content)))


def without(group: str, content: bytes) -> bytes:
    changed = io.BytesIO(content)
    with h5py.File(changed, "r+") as file:
        del file[group]
    return changed.getvalue()


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, documented: Documented) -> None:
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
    shown = {
        "missing": "missing",
        "empty": "empty",
        "text": "a web page",
        "cut": "cut off",
        "network": "of another architecture",
        "size": "of another image size",
    }
    for case in [*cases, "network", "size"]:
        file = tmp_path / f"{case}.weights.h5"
        with pytest.raises(UserError) as caught:
            saved.load_weights(model, file)
        message = str(caught.value)
        assert message.startswith(f"{file}: "), case
        assert "dvc repro" in message
        if case in shown:
            numbered = {r"_\d+, built": "_N, built"}  # Keras counts the layers of a process
            documented("Model files", f"initial weights: {shown[case]}", message, numbered)
