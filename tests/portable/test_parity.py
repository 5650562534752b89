"""What the stage checks before it lets a model file out."""

import numpy as np
import pytest

import model_file
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable import parity
from deepfake_ensemble.portable.classifier import Classifier


@pytest.fixture
def batches():
    images = np.random.default_rng(1).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
    return [(images[:4], None), (images[4:], None)]


@pytest.fixture
def stored(batches):
    return {name: p.copy() for name, p in model_file.p_fake(np.concatenate([b for b, _ in batches])).items()}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return Classifier(model_file.write(tmp_path_factory.mktemp("parity") / "model.onnx"))


def test_the_same_probabilities_pass(classifier, batches, stored):
    told = []
    apart = parity.check(classifier, batches, stored, told.append, tolerance=1e-5)
    assert 0 < apart < 1e-5 and told == [4, 6]


@pytest.mark.parametrize(
    ("name", "row", "wrong"),
    [("cnn", 0, 2e-4), ("cnn", 9, np.nan), ("ensemble", 0, np.nan), ("ensemble", 9, 2e-4)],
)
def test_one_image_that_differs_is_enough_to_refuse_and_the_detector_is_named(
    batches, stored, name, row, wrong, *, tmp_path
):
    classifier = Classifier(model_file.write(tmp_path / "model.onnx"))
    stored[name][row] += wrong
    with pytest.raises(UserError, match=f"{name} differs by"):
        parity.check(classifier, batches, stored, lambda count: None, tolerance=1e-4)
