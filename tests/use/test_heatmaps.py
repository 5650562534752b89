"""Where the detectors look, of images of one's own; and what is said where that cannot be told."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import model_file
import networks
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.models import saved
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.use import heatmaps
from pictures import picture

MEMBERS = {"cnn": 0.25, "resnet50": 0.75}


def facts_of(folder: Path) -> ModelMetadata:
    models = {name: sha256(folder / f"{name}.keras") for name in MEMBERS}
    return model_file.metadata(weights=MEMBERS, models=models)


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder with files in the places of models."""
    for name in MEMBERS:
        (tmp_path / f"{name}.keras").write_text(name)
    return tmp_path


def test_nothing_is_missing_where_the_packages_and_the_models_are(stand_ins):
    assert heatmaps.Heatmaps(facts_of(stand_ins), stand_ins).missing is None


def test_a_model_that_is_absent_or_another_is_named(stand_ins):
    metadata = facts_of(stand_ins)
    (stand_ins / "resnet50.keras").write_text("trained since")
    assert "resnet50.keras: not the model" in (heatmaps.Heatmaps(metadata, stand_ins).missing or "")
    (stand_ins / "cnn.keras").unlink()
    assert "cnn.keras, which is not there" in (heatmaps.Heatmaps(metadata, stand_ins).missing or "")


def test_pictures_are_called_after_their_image_and_numbered(tmp_path):
    pictures = {"cnn": heatmaps.as_png(Image.new("RGB", (32, 32)))}
    heatmaps.write(tmp_path, 7, "folder/../a b\n/<x>.jpg", pictures)
    (file,) = tmp_path.iterdir()
    assert file.name == "00007-_x_.jpg.cnn.png"
    assert Image.open(file).size == (256, 256)


@pytest.mark.networks
def test_the_heat_of_each_detector_and_of_the_ensemble_lies_over_the_image(tmp_path):
    for name in MEMBERS:
        saved.save(networks.shared(name), tmp_path / f"{name}.keras", {})
    maker = heatmaps.Heatmaps(facts_of(tmp_path), tmp_path)
    pixels = np.asarray(picture(3))
    maps = maker.overlaid(pixels, True, ["cnn", "resnet50", "ensemble"])
    assert list(maps) == ["cnn", "resnet50", "ensemble"]
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    for overlaid in maps.values():
        assert overlaid.shape == pixels.shape and overlaid.dtype == np.uint8
        assert not np.array_equal(overlaid, np.repeat(grey[:, :, None], 3, axis=2))
    assert list(maker.overlaid(pixels, False, ["cnn"])) == ["cnn"]
