"""Published weights load as Keras itself would load them: the same features, or a clear refusal.

The files are made here from random weights, in the old HDF5 layout in which Keras publishes its own.
"""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture, saved
from file_server import serve
from networks import SIZE, STUDY, build
from pictures import picture

# Keras' own: how it turns its variables into arrays, and how it takes the input of its applications.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
]

IMAGES = np.stack([np.asarray(picture(seed)) for seed in range(4)])
KERAS_NAMES = {"resnet50": "ResNet50", "xception": "Xception", "efficientnet_b4": "EfficientNetB4"}


def own(name: str, **options):
    """Build Keras' application as its users would, up to the pooling."""
    import keras

    application = getattr(keras.applications, KERAS_NAMES[name])
    image = keras.Input((SIZE, SIZE, 3))  # Xception refuses a shape this small
    return application(include_top=False, pooling="avg", input_tensor=image, **options)


def publish(model, path: Path) -> None:
    """Write weights as Keras' published files hold them."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def scramble(model) -> None:
    """Give every weight, also running averages, a value of its own that keeps the features finite."""
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            (
                w * rng.uniform(0.8, 1.2, w.shape) + (rng.uniform(0, 0.1, w.shape) if w.ndim == 1 else 0)
            ).astype(w.dtype)
            for w in model.get_weights()
        ]
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of weights for each network, without its top."""
    import keras

    folder = tmp_path_factory.mktemp("published")
    files = {}
    for name in KERAS_NAMES:
        keras.utils.set_random_seed(3)
        model = own(name, weights=None)
        scramble(model)
        for layer in model.layers:
            if isinstance(layer, keras.layers.Normalization):
                # What the published file holds: the deviations, where the layer expects their squares. Keras
                # divides by their root once more when it loads the file by itself.
                layer.set_weights(
                    [np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)]
                )
        files[name] = folder / f"{name}_notop.h5"
        publish(model, files[name])
    return files


@pytest.fixture(scope="module")
def native(published: dict[str, Path]) -> dict:
    """The detectors with these weights and the scaling that goes with them."""
    return {
        name: build(name, input_scaling="native", imagenet_weights=file) for name, file in published.items()
    }


def features(model, images: np.ndarray) -> np.ndarray:
    import keras

    return np.asarray(keras.Model(model.input, model.get_layer("p_fake").input)(images))


@pytest.mark.parametrize("name", ["resnet50", "xception"])
def test_features_equal_those_of_keras_with_the_same_file(name: str, published, native) -> None:
    import keras

    preprocess = {"resnet50": keras.applications.resnet50, "xception": keras.applications.xception}[name]
    expected = own(name, weights=str(published[name]))(preprocess.preprocess_input(IMAGES.astype(np.float32)))
    got = features(native[name], IMAGES)
    assert np.std(got) > 0
    assert np.allclose(got, np.asarray(expected), rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_features_of_efficientnet_equal_those_of_keras_own_imagenet_model(
    published, native, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # weights="imagenet", as its users write it: downloads the file, and rescales once more than weights=None.
    from keras.src.applications import efficientnet
    from keras.src.utils import file_utils

    file = published["efficientnet_b4"]
    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(efficientnet.WEIGHTS_HASHES, "b4", ("", md5))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    with serve({"efficientnetb4_notop.h5": file}) as server:
        monkeypatch.setattr(efficientnet, "BASE_WEIGHTS_PATH", f"{server.url}/")
        expected = own("efficientnet_b4", weights="imagenet")(IMAGES.astype(np.float32))
    got = features(native["efficientnet_b4"], IMAGES)
    assert np.std(got) > 0
    assert np.allclose(got, np.asarray(expected), rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_every_weight_of_the_file_is_in_the_detector(name: str, published, native) -> None:
    with h5py.File(published[name]) as file:
        stored = []
        file.visititems(
            lambda _, item: stored.append(np.asarray(item)) if isinstance(item, h5py.Dataset) else None
        )
    loaded = native[name].get_layer("backbone").get_weights()
    cut_off = {"efficientnet_b4": 3}.get(name, 0)  # the normalisation's mean, variance and count
    assert len(loaded) == len(stored) - cut_off
    total = sum(np.float64(w).sum() for w in stored) - ((1.347 + 0.678) if cut_off else 0)
    assert sum(np.float64(w).sum() for w in loaded) == pytest.approx(total, rel=1e-6)


def test_weights_of_another_network_are_refused(published) -> None:
    with pytest.raises(UserError) as caught:
        build("resnet50", imagenet_weights=published["xception"])
    assert_one_line(caught.value, published["xception"])


def assert_one_line(error: UserError, file: Path) -> None:
    assert str(error).startswith(f"{file}: ")
    assert "\n" not in str(error)


@pytest.fixture(scope="module")
def resnet50():
    """Keras' network, to load what does not fit."""
    return own("resnet50", weights=None)


def test_weights_of_other_shapes_are_refused(resnet50, published, tmp_path: Path) -> None:
    changed = tmp_path / "changed.h5"
    changed.write_bytes(published["resnet50"].read_bytes())
    with h5py.File(changed, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        kernel = next(name for name in names if "conv5_block3_3_conv" in name and "kernel" in name)
        shape = file[kernel].shape
        del file[kernel]
        file[kernel] = np.zeros((*shape[:-1], shape[-1] + 1), np.float32)
    with pytest.raises(UserError) as caught:
        saved.load_weights(resnet50, changed)
    assert_one_line(caught.value, changed)


def test_damaged_and_foreign_files_are_refused(resnet50, published, tmp_path: Path) -> None:
    whole = published["resnet50"].read_bytes()
    for case, content in {
        "empty.h5": b"",
        "text.h5": b"<html>not found</html>",
        "half.h5": whole[: len(whole) // 2],
        "beginning.h5": whole[:3000],
    }.items():
        (tmp_path / case).write_bytes(content)
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["numbers"] = np.arange(3)
    for case in ("empty.h5", "text.h5", "half.h5", "beginning.h5", "foreign.h5", "missing.h5"):
        with pytest.raises(UserError) as caught:
            saved.load_weights(resnet50, tmp_path / case)
        assert_one_line(caught.value, tmp_path / case)


def test_the_registry_knows_which_networks_have_published_weights() -> None:
    assert set(KERAS_NAMES) == {name for name in STUDY if architecture.find(name).imagenet}
