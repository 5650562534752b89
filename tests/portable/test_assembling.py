"""The ensemble as one model: eq. 2.12 of its frozen members, in one file."""

from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.models import saved
from deepfake_ensemble.portable.assembling import assemble
from networks import SIZE, STUDY, build, shared
from pictures import picture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # how Keras makes arrays of variables

IMAGES = np.stack([np.asarray(picture(seed)) for seed in range(6)])
WEIGHTS = {"cnn": 0.255, "resnet50": 0.237, "xception": 0.261, "efficientnet_b4": 0.247}  # section 3.4.4


@pytest.fixture(scope="module")
def members():
    """The four detectors, which other tests use too."""
    return {name: shared(name) for name in STUDY}


@pytest.fixture(scope="module")
def ensemble(members):
    trainable = {name: [layer.trainable for layer in member.layers] for name, member in members.items()}
    yield assemble(members, WEIGHTS)
    # Assembling froze them.
    for name, member in members.items():
        member.trainable = True
        for layer, before in zip(member.layers, trainable[name], strict=True):
            layer.trainable = before


def weighted_sum(members) -> np.ndarray:
    shares = [WEIGHTS[name] * np.asarray(member(IMAGES), np.float64) for name, member in members.items()]
    return np.sum(shares, axis=0)


def test_it_is_the_weighted_sum_of_its_members(ensemble, members) -> None:
    p_fake = np.asarray(ensemble(IMAGES))
    assert p_fake.shape == (6, 1)
    assert np.abs(p_fake - weighted_sum(members)).max() <= 1e-6
    spread = np.ptp([np.asarray(member(IMAGES)) for member in members.values()], axis=0)
    assert spread.min() > 1e-3  # so other weights would show


def test_one_input_feeds_all_and_one_number_comes_out(ensemble) -> None:
    assert (ensemble.input_shape, ensemble.output_shape) == ((None, SIZE, SIZE, 3), (None, 1))
    assert [layer.name for layer in ensemble.layers if layer.name in WEIGHTS] == STUDY


def test_it_takes_eight_bit_and_float_images(ensemble) -> None:
    assert np.array_equal(np.asarray(ensemble(IMAGES)), np.asarray(ensemble(IMAGES.astype(np.float32))))


def test_nothing_in_it_is_trained_any_more(ensemble) -> None:
    assert ensemble.trainable_variables == []
    assert ensemble.count_params() == sum(shared(name).count_params() for name in WEIGHTS)


def test_it_is_saved_and_loaded_as_one_file(tmp_path: Path) -> None:
    one, two = build("cnn", seed=1), build("cnn", seed=2)
    two.name = "other"
    ensemble = assemble({"cnn": one, "other": two}, {"cnn": 0.75, "other": 0.25})
    saved.save(ensemble, tmp_path / "ensemble.keras", {})
    assert [file.name for file in tmp_path.iterdir()] == ["ensemble.keras"]
    loaded = saved.load(tmp_path / "ensemble.keras")
    assert loaded.name == "ensemble"
    assert loaded.trainable_variables == []
    expected = 0.75 * np.asarray(one(IMAGES)) + 0.25 * np.asarray(two(IMAGES))
    assert np.abs(np.asarray(loaded(IMAGES)) - expected).max() <= 1e-6
    assert np.array_equal(np.asarray(loaded(IMAGES)), np.asarray(ensemble(IMAGES)))


def test_members_that_were_loaded_can_be_assembled(tmp_path: Path) -> None:
    saved.save(shared("cnn"), tmp_path / "cnn.keras", {})
    members = {"cnn": saved.load(tmp_path / "cnn.keras"), "other": build("cnn", seed=2)}
    members["other"].name = "other"
    expected = sum(0.5 * np.asarray(member(IMAGES)) for member in members.values())
    p_fake = np.asarray(assemble(members, {"cnn": 0.5, "other": 0.5})(IMAGES))
    assert np.abs(p_fake - expected).max() <= 1e-6


def test_a_single_member_is_itself() -> None:
    p_fake = np.asarray(assemble({"cnn": build("cnn")}, {"cnn": 1.0})(IMAGES))
    assert np.allclose(p_fake, np.asarray(build("cnn")(IMAGES)), rtol=0, atol=1e-7)
