"""Classifying from Python."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deepfake_ensemble
import model_file
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.use.inputs import StorageFault
from pictures import encoded, picture


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> deepfake_ensemble.Detector:
    return deepfake_ensemble.load(model_file.write(tmp_path_factory.mktemp("library") / "model.onnx"))


def test_paths_pillows_images_arrays_and_bytes_are_classified_alike(detector, tmp_path):
    data = encoded(picture(1), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    path = tmp_path / "a.png"
    found = detector.predict([str(path), path, data, picture(1), np.asarray(picture(1))])
    expected = model_file.p_fake(pixels(data, 32)[None])
    for each in found:
        assert dict(each.p_fake) == pytest.approx({name: p[0] for name, p in expected.items()}, abs=1e-6)
        assert each.verdict in ("real", "fake") and each.error is None and each.demonstration
        assert each.worst_measured_on and each.meaning
    assert [each.image for each in found] == [str(path), str(path), "image 2", "image 3", "image 4"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found[0].verdict = "real"


def test_grey_and_transparent_arrays_are_images_too(detector):
    transparent = np.zeros((8, 8, 4), np.uint8)
    white, grey = detector.predict([transparent, np.full((8, 8), 255, np.uint8)])
    assert white.p_fake == grey.p_fake


def test_an_image_that_cannot_be_used_costs_only_its_own_result(detector, tmp_path):
    bad, absent, good = detector.predict([b"nothing", tmp_path / "absent.jpg", picture(1)])
    assert (bad.verdict, bad.error) == (None, "a text")
    assert absent.error == "no such file or directory"
    assert good.error is None


def test_one_detector_decides_at_a_threshold(detector):
    (found,) = detector.predict([picture(1)], model="cnn", threshold=0.3)
    assert (found.decided_by, found.threshold, list(found.p_fake)) == ("cnn", 0.3, ["cnn"])


def test_a_detector_alone_is_no_ensemble(tmp_path):
    about = model_file.metadata(weights=model_file.ALONE, faces=True)
    detector = deepfake_ensemble.load(model_file.write(tmp_path / "model.onnx", about))
    black = Image.new("RGB", (64, 64))
    (found,) = detector.predict([black], faces="whole")
    assert (list(found.p_fake), found.decided_by) == (["efficientnet_b4"], "efficientnet_b4")
    assert found.unlike_by == ("pixels", "features")
    astronaut = Image.fromarray(photographs.read("skimage/data/astronaut.png").pixels)
    (found,) = detector.predict([astronaut])
    assert found.faces and list(found.faces[0].p_fake) == ["efficientnet_b4"]


def test_results_become_a_table(detector):
    table = detector.predict([picture(1), b"nothing"]).to_pandas()
    assert list(table.columns[:6]) == ["image", "cnn", "resnet50", "xception", "efficientnet_b4", "ensemble"]
    assert list(table["error"].fillna("")) == ["", "a text"]
    assert table["ensemble"].isna().tolist() == [False, True]
    assert detector.predict([]).to_pandas().empty


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ("a.jpg", "wants a list of images"),
        (Image.new("RGB", (8, 8)), "wants a list of images"),
        ([np.zeros((8, 8, 3))], r"image 0 is an array \(8, 8, 3\) of float64; one of uint8 is wanted"),
        ([np.zeros((8, 8, 7), np.uint8)], r"image 0 is an array \(8, 8, 7\)"),
    ],
)
def test_a_wrong_argument_is_told(detector, images, said):
    with pytest.raises(UserError, match=said):
        detector.predict(images)
    with pytest.raises(UserError, match="this file has cnn"):
        detector.predict([picture(1)], model="vgg")


def test_a_fault_of_storage_is_raised(detector):
    with pytest.raises(StorageFault):
        detector.predict(["/proc/self/mem"])


def test_the_package_imports_nothing_until_it_is_used():
    code = (
        "import sys, deepfake_ensemble; assert 'numpy' not in sys.modules;"
        "assert deepfake_ensemble.__version__; deepfake_ensemble.load;"
        "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules);"
        "\ntry: deepfake_ensemble.nothing\nexcept AttributeError: pass"
    )
    source = str(Path(deepfake_ensemble.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, check=True)
    assert Path(deepfake_ensemble.__file__).with_name("py.typed").is_file()
