"""What `make plan` says of each stage: numbers that follow from params.yaml."""

import copy
from pathlib import Path

import h5py
import numpy as np
import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.common.planning import Known, Step
from deepfake_ensemble.studies.ensemble.params import Params
from deepfake_ensemble.studies.ensemble.plan import PLAN

DATA = params.load(ROOT / "params.yaml")


def step(profile: str, name: str, runs: str = "yes", size: int | None = None) -> Step:
    whole = params.check("", DATA | {"profile": profile}, Params)
    return PLAN.steps(whole, [Known(name, f"What {name} does.", runs, "", size)])[0]


def test_training_at_the_paper_s_size_is_told_in_steps_epochs_and_layers() -> None:
    trained = step("paper", "train@resnet50")
    assert trained.numbers == {
        "images": 100_000,
        "image_size": 256,
        "crop": None,
        "steps_per_epoch": 3125,
        "validation_steps": 1250,
        "epochs_at_most": 15,
        "learning_rate": 5e-5,
        "frozen_layers": 100,
        "precision": "float32",
    }
    assert trained.gpu
    assert trained.text == (
        "100,000 images of 256×256: 3,125 steps of 32, at most 15 epochs, validates 1,250 steps of 16,"
        " learning rate 5e-05, first 100 layers frozen"
    )


def test_random_weights_are_not_frozen_and_learn_at_the_multiplied_rate() -> None:
    numbers = step("small", "train@resnet50").numbers
    assert numbers["frozen_layers"] == 0
    multiplier = DATA["profiles"]["small"]["training"]["learning_rate_multiplier"]["transferred"]
    assert numbers["learning_rate"] == 5e-5 * multiplier > 5e-5
    assert (numbers["steps_per_epoch"], numbers["validation_steps"]) == (40, 17)  # 1,260 and 270, rounded up


def test_crops_and_a_rate_that_falls_are_told() -> None:
    data = copy.deepcopy(DATA) | {"profile": "small"}
    data["profiles"]["small"]["training"] |= {"crop": 48, "cosine": {"epochs": 40, "warm_up": 0.1}}
    whole = params.check("", data, Params)
    (trained,) = PLAN.steps(whole, [Known("train@resnet50", "", "yes", "", None)])
    assert (trained.numbers["crop"], trained.numbers["epochs_at_most"]) == (48, 40)
    assert trained.text == (
        "1,260 crops of 48×48 of images of 64×64: 40 steps of 32, 40 epochs, validates 17 steps of 16,"
        " learning rate up to 0.001"
    )


def test_initial_weights_are_named_by_their_file() -> None:
    assert step("paper", "initialise@xception").numbers == {
        "weights": "imagenet",
        "file": "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    }
    assert step("paper", "initialise@cnn").numbers == {"weights": "random", "seed": 42}
    assert step("small", "initialise@xception").text == "random weights, seed 42"


def test_a_profile_s_exceptions_start_elsewhere_than_the_others() -> None:
    exceptions = {"xception": "imagenet", "efficientnet_lite0": "imagenet"}
    data = copy.deepcopy(DATA) | {"profile": "small"}
    data["profiles"]["small"]["initial_weights_of"] = exceptions
    profile = params.check("", data, Params).active
    assert [profile.start(model) for model in ("resnet50", *exceptions)] == ["random", "imagenet", "imagenet"]


def test_downloads_tell_their_source() -> None:
    assert step("sample", "download@internal").text == "faces.zip, synthesised from photographs, seed 42"
    assert step("paper", "download@cifake").numbers == {
        "source": "kaggle",
        "kaggle": "birdy654/cifake-real-and-ai-generated-synthetic-images",
        "version": 3,
        "images": 120_000,
    }


def test_a_local_archive_is_as_large_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    missing = step("small", "download@internal")
    assert (missing.disk, missing.text) == (
        None,
        "faces.zip from data/local/faces.zip, which is not there yet",
    )
    (tmp_path / "data/local").mkdir(parents=True)
    (tmp_path / "data/local/faces.zip").write_bytes(bytes(1234))
    assert step("small", "download@internal").disk == 1234


def test_disk_is_estimated_from_the_counts_until_the_results_are_there() -> None:
    estimated = step("paper", "pack@internal")
    assert estimated.numbers == {"images": 140_000, "shards": 28}
    assert 140_000 * 26_099 < (estimated.disk or 0) < 140_000 * 26_099 * 1.02
    assert not estimated.measured
    there = step("paper", "pack@internal", runs="no", size=987)
    assert (there.disk, there.measured) == (987, True)


def test_a_data_set_without_a_count_is_predicted_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {
        split: count for split, count in DATA["profiles"]["small"]["counts"].items() if split != "cifake"
    }
    monkeypatch.setitem(DATA["profiles"]["small"], "counts", counts)
    packed, predicted, split = (step("small", name) for name in ("pack@cifake", "predict@cnn", "split"))
    assert (packed.text, packed.disk) == ("all usable images, half of each class", None)
    assert predicted.text == "540 images in 10 batches of 64, and all of cifake"
    assert (predicted.disk, split.disk) == (None, None)
    assert split.text == "train 1,260, val 270, test 270, cifake all; half of them fake"


def test_predictions_leave_out_the_training_split() -> None:
    assert step("small", "predict@cnn").numbers == {
        "images": 270 + 270 + 20_000,
        "batches": 5 + 5 + 313,
        "batch_size": 64,
    }


def test_a_stage_that_the_plan_does_not_know_is_told_by_its_description() -> None:
    assert step("sample", "weigh").text == "What weigh does"


def test_parameters_are_counted_from_the_file_of_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "models/initial/cnn.weights.h5"
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as weights:
        weights["layers/dense/vars/0"] = np.zeros((4, 3), np.float32)
        weights["layers/dense/vars/1"] = np.zeros(3, np.float32)
        weights["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
    initialised = step("sample", "initialise@cnn", runs="no")
    assert initialised.numbers["parameters"] == 15
    assert initialised.text == "random weights, seed 42: 15 parameters"
