"""Trainings follow their plan, keep the checkpoint with the best F1, and survive interruptions."""

import io
import itertools
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.residual import fitting, schedule
from deepfake_ensemble.training.residual.augmentation import AugmentedReader
from deepfake_ensemble.training.residual.curves import EVALUATED, RECORDED
from deepfake_ensemble.training.residual.settings import Recipe
from deepfake_ensemble.training.shared import checkpoint as checkpoints
from deepfake_ensemble.training.shared.checkpoint import Checkpoint
from residual_recipe import recipe
from tiny_training import unfollowed

TRAIN, VAL, SIZE = 45, 16, 32


@pytest.fixture(scope="module", autouse=True)
def determined() -> None:
    """Make every operation repeatable, as `models/session.py` does for a stage."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    rng = np.random.default_rng(0)
    for split, count in (("train", TRAIN), ("val", VAL)):
        (folder / split).mkdir()
        rows = []
        for i in range(count):
            # Fakes are a little brighter.
            pixels = rng.integers(0, 180, (SIZE, SIZE, 3)) + 70 * (i % 2)
            out = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
            rows.append((f"{i}.png", i % 2, out.getvalue()))
        records.write(folder / split, rows, count, 20)
    return folder


def network() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="tiny",
    )


def fit(packed: Path, folder: Path, model: Any = None, its: Recipe | None = None, **changes: Any) -> tuple:
    its = its or recipe()
    model = model or network()
    every = {"record_every": changes.pop("record_every", 3), "evaluate_every": 4, "checkpoint_every": 8}
    plan = schedule.plan(TRAIN, its, epochs=its.epochs, step="batch", **every)
    checkpoint = Checkpoint(folder, {"recipe": "this"}, changes.pop("save_every", math.inf))
    follow = changes.pop("follow", unfollowed)
    curves = fitting.fit(
        model,
        AugmentedReader(PackedImages(packed / "train"), SIZE, "bilinear", its, 2),
        BatchReader(PackedImages(packed / "val"), SIZE),
        recipe=its,
        learning_rate=its.learning_rate,
        plan=plan,
        jit_compile=False,
        seed=3,
        checkpoint=checkpoint,
        follow=follow,
    )
    return model, curves, plan, checkpoint.seconds


@pytest.fixture(scope="module")
def whole(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    return fit(packed, tmp_path_factory.mktemp("whole"))


def test_it_records_and_evaluates_as_planned_at_the_schedule_s_rates(whole: tuple) -> None:
    _, curves, plan, seconds = whole
    assert (plan.batches, plan.updates) == (24, 12)
    assert curves["val_batch"] == [4, 8, 12, 16, 20, 24]
    assert curves["batch"] == [1, 3, 4, 5, 6, 8, 9, 12, 15, 16, 18, 20, 21, 24]
    # The rate of the update that a batch belongs to: 12 updates, of which the first two warm up.
    assert curves["learning_rate"] == pytest.approx(
        [0, 0.025, 0.025, 0.05, 0.05, 0.045, 0.04, 0.035, 0.025, 0.025, 0.02, 0.015, 0.01, 0.005]
    )
    assert seconds > 0
    assert {name: len(curves[name]) for name in RECORDED} == dict.fromkeys(RECORDED, 14)
    assert {name: len(curves[name]) for name in EVALUATED} == dict.fromkeys(EVALUATED, 6)


def test_how_often_the_loss_is_recorded_changes_no_weight_and_no_mean(
    packed: Path, whole: tuple, tmp_path: Path
) -> None:
    model, each, *_ = fit(packed, tmp_path, record_every=1)
    for kept, one in zip(whole[0].get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, one)
    curves = whole[1]
    assert each["batch"] == list(range(1, 25))
    means = [np.mean(each["loss"][a:b]) for a, b in itertools.pairwise([0, *curves["batch"]])]
    assert curves["loss"] == pytest.approx(means)


def test_who_follows_is_told_all_that_is_kept_and_changes_nothing(
    packed: Path, whole: tuple, tmp_path: Path
) -> None:
    told = []
    model, curves, _, _ = fit(packed, tmp_path, follow=lambda step, figures: told.append((step, figures)))
    assert [step for step, _ in told] == curves["batch"]
    for name in ("learning_rate", "loss"):
        assert [figures[name] for _, figures in told] == curves[name]
    evaluated = [(step, figures["val_f1"]) for step, figures in told if "val_f1" in figures]
    assert evaluated == list(zip(curves["val_batch"], curves["val_f1"], strict=True))
    assert curves == whole[1]
    for kept, one in zip(whole[0].get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, one)


def test_the_best_checkpoint_s_weights_are_kept(packed: Path, whole: tuple) -> None:
    from deepfake_ensemble.evaluation.metrics import metrics
    from deepfake_ensemble.inference.predictor import Predictor

    model, curves, plan, _ = whole
    best = plan.best(curves)
    assert curves["val_batch"][best] in (8, 16, 24)
    assert curves["val_f1"][best] == max(curves["val_f1"][i] for i in (1, 3, 5))
    images = PackedImages(packed / "val")
    p_fake = Predictor(model).predict(BatchReader(images, SIZE).in_order(8), lambda _: None)
    assert metrics(images.labels, p_fake.astype(float)).f1 == pytest.approx(curves["val_f1"][best])


@pytest.mark.parametrize("at", [1, 7, 12, 23])
def test_interrupted_anywhere_it_ends_with_the_same_bytes(
    packed: Path, whole: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    taken = 0
    step = fitting.Step.train_on_batch

    def train_on_batch(self: Any, batch: Any, rate: float) -> None:
        nonlocal taken
        taken += 1
        if taken == at:
            os.kill(os.getpid(), signal.SIGTERM)
        step(self, batch, rate)

    monkeypatch.setattr(fitting.Step, "train_on_batch", train_on_batch)
    with pytest.raises(KeyboardInterrupt):
        fit(packed, tmp_path)
    model, curves, _, _ = fit(packed, tmp_path)
    assert curves == whole[1]
    for one, other in zip(model.get_weights(), whole[0].get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert taken == 24


@pytest.mark.parametrize("changes", [{}, {"optimizer": "muon", "cut_mix": 0.5}], ids=["adamw", "muon, cut"])
def test_killed_after_a_save_it_ends_with_the_same_bytes(
    packed: Path, whole: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    its = recipe(**changes)
    expected = whole if its == recipe() else fit(packed, tmp_path / "whole", its=its)
    # What a kill leaves is what was saved last, so an error that nothing holds back stands for it.
    step, taken = fitting.Step.train_on_batch, []

    def train_on_batch(self: Any, batch: Any, rate: float) -> None:
        taken.append(rate)
        if len(taken) == 15:
            raise MemoryError
        step(self, batch, rate)

    monkeypatch.setattr(fitting.Step, "train_on_batch", train_on_batch)
    with pytest.raises(MemoryError):
        fit(packed, tmp_path, its=its, save_every=0)
    model, curves, _, _ = fit(packed, tmp_path, its=its)
    assert curves == expected[1]
    weights = zip(model.get_weights(), expected[0].get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in weights)
    assert len(taken) == 25


def test_between_two_evaluations_that_are_due_nothing_is_kept(
    packed: Path, whole: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    def save_and_copy(self: Any, variables: Any, progress: Any, save: Any = Checkpoint.save) -> None:
        save(self, variables, progress)
        kept.append(progress.step)
        shutil.copytree(tmp_path / "whole", tmp_path / f"kept-{progress.step}")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "PAUSE", math.inf)
        patched.setattr(Checkpoint, "save", save_and_copy)
        fit(packed, tmp_path / "whole")
    assert kept == [4, 24]  # the first evaluation and the last
    for step in kept:
        model, curves, *_ = fit(packed, tmp_path / f"kept-{step}")
        assert curves == whole[1]
        for one, other in zip(model.get_weights(), whole[0].get_weights(), strict=True):
            assert np.array_equal(one, other)


def test_a_finished_training_that_was_not_discarded_is_not_repeated(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, curves, *_ = fit(packed, tmp_path)
    monkeypatch.setattr(fitting.Step, "train_on_batch", None)
    again, same, *_ = fit(packed, tmp_path)
    assert same == curves
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_other_seeds_and_recipes_give_other_weights(packed: Path, whole: tuple, tmp_path: Path) -> None:
    for number, its in enumerate(
        (recipe(schedule="constant"), recipe(accumulation=1), recipe(symmetry="none"), recipe(cut_mix=1.0))
    ):
        model, *_ = fit(packed, tmp_path / str(number), its=its)
        assert not all(
            np.array_equal(a, b) for a, b in zip(model.get_weights(), whole[0].get_weights(), strict=True)
        )


def test_label_smoothing_and_no_crops_are_possible(packed: Path, tmp_path: Path) -> None:
    _, curves, _, _ = fit(packed, tmp_path, its=recipe(label_smoothing=0.1, crop_scale=None))
    assert curves["loss"][-1] > 0


def test_a_loss_that_is_no_number_is_refused(packed: Path, tmp_path: Path) -> None:
    model = network()
    model.layers[-1].kernel.assign(np.full(model.layers[-1].kernel.shape, np.nan, np.float32))
    with pytest.raises(UserError, match="tiny: the loss became nan in batch 1 of 24: lower"):
        fit(packed, tmp_path, model=model)


def test_a_training_without_a_whole_update_is_refused(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="12 batches are fewer than the 50 of one update"):
        fit(packed, tmp_path, its=recipe(epochs=1, accumulation=50))
