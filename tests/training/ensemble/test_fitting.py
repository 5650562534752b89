"""Fitting: the protocol of table 3.3, fed exactly by the readers, ending with the best weights."""

import math
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.models import detector
from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.ensemble import crops, curves, fitting
from deepfake_ensemble.training.ensemble.decoded import cache_decoded
from deepfake_ensemble.training.shared import checkpoint as checkpoints
from deepfake_ensemble.training.shared.adam import adam
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Curves
from deepfake_ensemble.training.shared.schedule import learning_rate as scheduled
from pictures import encoded
from tiny_training import LEARNING_RATE, SEED, SIZE, changed, fit, small

pytestmark = [
    pytest.mark.filterwarnings("error:Your input ran out of data"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # how Keras turns its variables into arrays
]


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    assert [weight.tobytes() for weight in ours] == [weight.tobytes() for weight in theirs]


def differ(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return any((one != other).any() for one, other in zip(ours, theirs, strict=True))


class Trained(NamedTuple):
    history: Curves
    weights: list[np.ndarray]


@pytest.fixture(scope="module")
def reference(train, validation, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training as RECIPE says."""
    model = small()
    history = fit(model, train, validation, tmp_path_factory.mktemp("scratch"))
    return Trained(history, model.get_weights())


def losses(model: Any, reader: BatchReader) -> tuple[float, float]:
    """Return binary cross-entropy plus penalties, and accuracy, computed apart from Keras' loop."""
    pictures, labels = next(reader.in_order(len(reader)))
    p = np.asarray(model(pictures), dtype=np.float64)
    cross_entropy = -np.where(labels == 1, np.log(p), np.log(1 - p)).mean()
    return cross_entropy + float(sum(model.losses)), float(((p > 0.5) == labels).mean())


# What the network is fed


def test_training_takes_the_reader_s_epochs_step_by_step(reference, train) -> None:
    # As a plain loop over what the reader yields for (seed, epoch) does: shuffled, mirrored, nothing else.
    replayed = small()
    assert curves.summary(reference.history).best_epoch == 2  # so the last weights were kept
    replayed.compile(adam(LEARNING_RATE), "binary_crossentropy")
    for epoch in range(2):
        for pictures, labels in train.epoch(8, SEED, epoch):
            replayed.train_on_batch(pictures, labels)
    assert_same(reference.weights, replayed.get_weights())


def test_every_epoch_is_validated_on_the_whole_split_in_order(train, validation, tmp_path: Path) -> None:
    for epochs in (1, 2):
        model = small()
        history = fit(model, train, validation, tmp_path, changed(epochs=epochs))
        loss, accuracy = losses(model, validation)
        assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
        assert history["val_accuracy"][-1] == pytest.approx(accuracy)


def test_the_curves_are_of_whole_epochs_by_keras_names(reference) -> None:
    history = reference.history
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(curves.TABLES, 2)
    assert all(isinstance(value, float) for values in history.values() for value in values)
    assert all(abs(value * 20 - round(value * 20)) < 1e-4 for value in history["accuracy"])  # of 20 images


def test_the_written_curves_are_the_history(reference, tmp_path: Path) -> None:
    history = reference.history
    curves.write(tmp_path / "curves", history)
    for metric, table in curves.TABLES.items():
        header, *rows = (tmp_path / "curves" / table).read_text().splitlines()
        assert header == f"step\t{Path(table).stem}"
        written = [(int(step), np.float32(value)) for step, value in (row.split("\t") for row in rows)]
        assert written == [(i, np.float32(value)) for i, value in enumerate(history[metric], start=1)]


def test_who_follows_is_told_each_epoch_and_changes_nothing(reference, train, validation, tmp_path) -> None:
    told = []
    model = small()
    fit(model, train, validation, tmp_path, follow=lambda step, figures: told.append((step, dict(figures))))
    assert [step for step, _ in told] == [3, 6]  # 20 images in batches of 8
    for i, (_, figures) in enumerate(told):
        history = {name: values[i] for name, values in reference.history.items()}
        assert figures == {"learning_rate": LEARNING_RATE, **history}
    assert_same(reference.weights, model.get_weights())


# When it ends, and with which weights


def flat(folder: Path, *, bright: int) -> BatchReader:
    """Pack images that tell their class by their brightness; `bright` is the label of the bright ones."""
    folder.mkdir()
    images = []
    for i in range(16):
        grey = Image.new("L", (SIZE, SIZE), 200 * (i % 2) + i)
        images.append((f"{i}.jpg", bright if i % 2 else 1 - bright, encoded(grey)))
    records.write(folder, images, len(images), len(images))
    return BatchReader(PackedImages(folder), SIZE)


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    return flat(tmp_path_factory.mktemp("packed") / "easy", bright=1)


@pytest.fixture(scope="module")
def contrary(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    """All labels are wrong, so whatever is learned from the easy ones makes the loss rise."""
    return flat(tmp_path_factory.mktemp("packed") / "contrary", bright=0)


def test_it_stops_early_and_keeps_the_best_epoch(easy, contrary, tmp_path: Path) -> None:
    best = small()
    fit(best, easy, contrary, tmp_path, changed(epochs=1), learning_rate=0.01)
    model = small()
    history = fit(model, easy, contrary, tmp_path, changed(epochs=9), learning_rate=0.01)
    assert len(history["val_loss"]) == 3  # the best and two without a better one
    assert min(history["val_loss"]) == history["val_loss"][0] < history["val_loss"][1]
    assert curves.summary(history).best_epoch == 1
    assert_same(model.get_weights(), best.get_weights())
    assert losses(model, contrary)[0] == pytest.approx(history["val_loss"][0], rel=1e-5)
    kept = small()
    Checkpoint(tmp_path, {}, math.inf).restore_best(kept.variables)
    assert_same(kept.get_weights(), model.get_weights())


def test_the_best_weights_are_restored_when_the_epochs_run_out_too(easy, contrary, tmp_path: Path) -> None:
    model = small()
    history = fit(model, easy, contrary, tmp_path, learning_rate=0.01)
    assert len(history["val_loss"]) == 2
    assert curves.summary(history).best_epoch == 1
    assert losses(model, contrary)[0] == pytest.approx(history["val_loss"][0], rel=1e-5)


def test_patience_is_counted_from_the_best_epoch(easy, contrary, tmp_path: Path) -> None:
    recipe = changed(epochs=9, early_stopping_patience=1)
    assert len(fit(small(), easy, contrary, tmp_path, recipe, learning_rate=0.01)["val_loss"]) == 2


def test_early_stopping_counts_from_the_first_of_the_best() -> None:
    losses, counted = [0.5, 0.4, 0.4, 0.6, 0.3], []
    for epochs in range(len(losses) + 1):
        counted.append(fitting.epochs_since_best(losses[:epochs]))
    assert counted == [0, 0, 0, 1, 2, 0]


# What decides the weights


def test_the_seed_of_the_order_decides(reference, train, validation, tmp_path: Path) -> None:
    same, other = small(), small()
    fit(same, train, validation, tmp_path)
    fit(other, train, validation, tmp_path, seed=SEED + 1)
    assert_same(reference.weights, same.get_weights())
    assert differ(reference.weights, other.get_weights())


def test_building_the_optimizer_before_the_first_step_changes_no_byte(
    reference, train, validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    class Late(keras.optimizers.Adam):
        asked = 0

        def build(self, variables) -> None:
            Late.asked += 1
            if Late.asked > 1:
                super().build(variables)

    monkeypatch.setattr(keras.optimizers, "Adam", Late)
    late = small()
    fit(late, train, validation, tmp_path)
    assert Late.asked > 1
    assert_same(reference.weights, late.get_weights())


@pytest.mark.parametrize("jit_compile", [False, True])
def test_an_update_of_several_small_batches_is_that_of_the_large_one(
    train, validation, tmp_path: Path, jit_compile: bool
) -> None:
    def trained(**keys: int) -> tuple[list[np.ndarray], Curves, int]:
        model = small()
        layers = model.get_layer("backbone").layers
        for layer in layers:  # of these alone a small batch is another one than a large one
            if type(layer).__name__ == "BatchNormalization":
                layer.trainable = False
            elif type(layer).__name__ == "Dropout":
                layer.rate = 0
        recipe, scratch = changed(epochs=1, **keys), tmp_path / str(keys)
        history = fit(model, train, validation, scratch, recipe, jit_compile=jit_compile)
        return model.get_weights(), history, int(model.optimizer.iterations)

    assert len(train) % 10 == 0
    large, its_curves, updates = trained(batch_size=10)
    small_ones, their_curves, same_updates = trained(batch_size=5, accumulation=2)
    assert updates == same_updates == len(train) // 10
    assert differ(large, small().get_weights())
    for one, other in zip(large, small_ones, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for name, values in its_curves.items():
        assert their_curves[name] == pytest.approx(values, rel=1e-4)


def test_frozen_layers_are_left_as_they_are(train, validation, tmp_path: Path) -> None:
    model = small()
    detector.freeze(model, 3)  # input, convolution, batch normalisation
    before = model.get_layer("backbone").layers
    frozen = [w for layer in before[:3] for w in layer.get_weights()]
    trained = [w for layer in before[3:] for w in layer.get_weights()]
    fit(model, train, validation, tmp_path)
    after = model.get_layer("backbone").layers
    assert_same([w for layer in after[:3] for w in layer.get_weights()], frozen)
    assert all(
        (w != old).any()
        for w, old in zip((w for a in after[3:] for w in a.get_weights()), trained, strict=True)
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_too(train, validation, tmp_path: Path, policy: str) -> None:
    import keras

    keras.config.set_dtype_policy(policy)
    try:
        model = small()
        before = model.get_weights()
        history = fit(model, train, validation, tmp_path, changed(epochs=1))
    finally:
        keras.config.set_dtype_policy("float32")
    scaled = type(model.optimizer).__name__ == "LossScaleOptimizer"
    assert scaled == (policy == "mixed_float16")
    assert math.isfinite(history["loss"][0])
    assert differ(model.get_weights(), before)
    assert {w.dtype for w in model.trainable_variables} == {"float32"}


def test_xla_compiles_the_same_weights_again(train, validation, tmp_path: Path) -> None:
    once, again = small(), small()
    before = once.get_weights()
    for model, scratch in ((once, tmp_path / "once"), (again, tmp_path / "again")):
        fit(model, train, validation, scratch, jit_compile=True)
    assert_same(once.get_weights(), again.get_weights())
    assert differ(once.get_weights(), before)


# What a profile adds: crops, and a learning rate that falls


CROP = 20


def fit_falling(model: Any, train: Any, validation: Any, scratch: Path, **options: Any) -> tuple[Any, Curves]:
    """Fit a model on crops, with a learning rate that rises for two steps of six and falls after them.

    Returns:
        What has learned, with its last weights, and the curves.
    """
    learner = small(CROP, pooled=True)
    # Whatever weights it has: the model's count.
    learner.set_weights([weight + 1 for weight in learner.get_weights()])
    return learner, fit(model, train, validation, scratch, learner=learner, warm_up=0.3, **options)


def test_on_crops_it_trains_as_a_network_of_their_size_and_is_validated_on_whole_images(
    train, validation, tmp_path: Path
) -> None:
    model, replayed = small(pooled=True), small(CROP, pooled=True)
    rates: list[float] = []
    learner, history = fit_falling(
        model, train, validation, tmp_path, follow=lambda _, told: rates.append(told["learning_rate"])
    )
    replayed.compile(adam(LEARNING_RATE), "binary_crossentropy")
    falling = [scheduled(step, 6, LEARNING_RATE, 0.3, "cosine") for step in range(6)]
    step = iter(falling)
    for epoch in range(2):
        corners = crops.corners(len(train), SEED, epoch, SIZE - CROP)
        for pictures, labels in crops.cropped(train.epoch(8, SEED, epoch), corners, CROP):
            assert pictures.shape[1:3] == (CROP, CROP)
            replayed.optimizer.learning_rate.assign(next(step))
            replayed.train_on_batch(pictures, labels)
    for ours, theirs in zip(learner.get_weights(), replayed.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert rates == pytest.approx([falling[2], falling[5]])
    assert min(history["val_loss"]) == pytest.approx(losses(model, validation)[0], rel=1e-5)


def test_on_crops_with_a_falling_rate_it_goes_on_to_the_same_bytes_too(
    train, validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Path] = []

    def save_and_copy(self, variables, progress, save=Checkpoint.save) -> None:
        save(self, variables, progress)
        left.append(tmp_path / f"left-{len(left)}")
        shutil.copytree(tmp_path / "whole", left[-1])

    whole = small(pooled=True)
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", save_and_copy)
        _, history = fit_falling(whole, train, validation, tmp_path / "whole", save_every=0, weight_decay=2.0)
    assert len(left) == 6
    for kept in left:
        resumed = small(pooled=True)
        assert fit_falling(resumed, train, validation, kept, save_every=0, weight_decay=2.0)[1] == history
        assert_same(whole.get_weights(), resumed.get_weights())


# What an interruption leaves


POLICIES = ["float32", "mixed_float16"]


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    import keras

    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("cache", ["none", "decoded"])
def test_from_whatever_a_kill_leaves_it_goes_on_to_the_same_bytes(
    train, validation, tmp_path: Path, *, monkeypatch: pytest.MonkeyPatch, policy: str, cache: str
) -> None:
    # What a kill leaves behind is what was kept last: here everything that is ever kept, after every step.
    left: list[Path] = []

    def save_and_copy(self, variables, progress, save=Checkpoint.save) -> None:
        save(self, variables, progress)
        left.append(tmp_path / f"left-{len(left)}")
        shutil.copytree(tmp_path / "whole", left[-1])

    if cache == "decoded":
        train, validation = cache_decoded(train, validation, 2**30, tmp_path)
    whole = small()
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", save_and_copy)
        history = fit(whole, train, validation, tmp_path / "whole", save_every=0)
    assert len(left) == 2 * (2 + 1)  # two steps within each epoch of three, and its end
    for kept in left:
        resumed = small()
        assert fit(resumed, train, validation, kept, save_every=0) == history
        assert_same(whole.get_weights(), resumed.get_weights())


class Interrupting(BatchReader):
    """Sends a signal to this process when it is asked for its batch `at`."""

    def __init__(self, reader: BatchReader, at: int, signum: int) -> None:
        self.__dict__.update(reader.__dict__)
        self.at, self.signum = at, signum

    def _submit(self, *arguments: Any) -> Any:
        self.at -= 1
        if self.at < 0:
            self.at = 10**9
            os.kill(os.getpid(), self.signum)
        return super()._submit(*arguments)


@pytest.mark.parametrize(
    ("where", "at", "signum"),
    [
        ("train", 0, signal.SIGTERM),
        ("train", 1, signal.SIGINT),
        ("train", 5, signal.SIGTERM),
        ("val", 0, signal.SIGTERM),
        ("val", 2, signal.SIGINT),
        ("val", 4, signal.SIGTERM),
        ("val", 5, signal.SIGTERM),
    ],
)
def test_a_signal_ends_it_with_its_state_kept(
    reference, train, validation, tmp_path: Path, *, where: str, at: int, signum: signal.Signals
) -> None:
    splits = {"train": train, "val": validation}
    splits[where] = Interrupting(splits[where], at, signum)
    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    with suppress(KeyboardInterrupt):  # what comes with the very last batch may be too late to matter
        fit(small(), splits["train"], splits["val"], tmp_path)
        assert (where, at) == ("val", 5)
    assert (tmp_path / "state.npz").is_file()
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)] == handlers
    resumed = small()
    assert fit(resumed, train, validation, tmp_path) == reference.history
    assert_same(reference.weights, resumed.get_weights())


def test_a_signal_at_the_end_of_an_epoch_is_answered_there(
    reference, train, validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    def save_and_signal(self, variables, progress, save=Checkpoint.save) -> None:
        if not kept:
            os.kill(os.getpid(), signal.SIGTERM)
        save(self, variables, progress)
        kept.append(progress.step)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Checkpoint, "save", save_and_signal)
        fit(small(), train, validation, tmp_path)
    assert kept == [3]
    resumed = small()
    assert fit(resumed, train, validation, tmp_path) == reference.history
    assert_same(reference.weights, resumed.get_weights())


def test_a_finished_training_that_was_not_discarded_is_not_repeated(
    reference, train, validation, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    fit(small(), train, validation, tmp_path)
    capfd.readouterr()
    again = small()
    assert fit(again, train, validation, tmp_path) == reference.history
    assert_same(reference.weights, again.get_weights())
    assert capfd.readouterr().out == "small: goes on with an interrupted training, after epoch 2 of 2\n"


def test_of_epochs_shorter_than_a_pause_only_the_first_and_the_last_are_kept(
    train, validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    def save_and_copy(self, variables, progress, save=Checkpoint.save) -> None:
        save(self, variables, progress)
        kept.append(progress.evaluations)
        shutil.copytree(tmp_path / "whole", tmp_path / f"kept-{progress.evaluations}")

    four = changed(epochs=4, early_stopping_patience=4)
    whole = small()
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "PAUSE", math.inf)
        patched.setattr(Checkpoint, "save", save_and_copy)
        history = fit(whole, train, validation, tmp_path / "whole", four)
    assert kept == [1, 4]
    assert curves.summary(history).best_epoch > 1
    for epochs in kept:
        resumed = small()
        assert fit(resumed, train, validation, tmp_path / f"kept-{epochs}", four) == history
        assert_same(whole.get_weights(), resumed.get_weights())


def test_a_log_has_a_line_an_epoch(train, validation, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    fit(small(), train, validation, tmp_path)
    first, second = capfd.readouterr().out.splitlines()
    assert first.startswith("epoch 1 of 2: loss ")
    assert first.endswith(", the best so far")
    assert second.startswith("epoch 2 of 2: loss ")
