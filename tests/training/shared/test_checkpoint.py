"""An interrupted training is kept whole, used only for the same training, and says so otherwise."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training.shared import checkpoint as checkpoints
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Progress

MADE_FROM = {
    "params": {"models.cnn": {"learning_rate": 0.1}},
    "data": {"data/packed/train": "12"},
    "code": "ab",
}
HALFWAY = Progress(
    curves={"loss": [0.1 + 0.2, 0.3], "accuracy": [0.5, 0.75], "val_loss": [0.25], "val_accuracy": [1.0]},
    step=8,
    evaluations=1,
)


class Variable:
    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)

    def numpy(self) -> np.ndarray:
        return self.value

    def assign(self, value: np.ndarray) -> None:
        assert value.dtype == self.value.dtype
        self.value = value


def variables(*values: Any) -> list[Any]:
    return [Variable(value) for value in values]


def checkpoint_in(folder: Path, made_from: dict[str, Any] = MADE_FROM, save_every: float = 600) -> Checkpoint:
    return Checkpoint(folder, made_from, save_every)


def kept(folder: Path) -> Checkpoint:
    training = checkpoint_in(folder)
    training.update_best(variables(np.float32([0.5, 1.5])))
    training.save(variables(np.float32([1.5, 2.5]), np.int64(3)), HALFWAY)
    return training


def flipped(file: bytes) -> bytes:
    """Return it with a bit of its first array changed: 1.5 stands in both files."""
    content = bytearray(file)
    content[content.index(np.float32([1.5]).tobytes())] ^= 1
    return bytes(content)


def full_for(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def require_room(folder: Path, size: int, asked_for: str) -> None:
        if asked_for == what:
            raise UserError("full")

    monkeypatch.setattr(checkpoints, "require_room", require_room)


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    kept(tmp_path)
    here = variables(np.float32([0, 0]), np.int64(0))
    assert checkpoint_in(tmp_path).load(here) == HALFWAY
    assert [variable.value.tolist() for variable in here] == [[1.5, 2.5], 3]


def test_where_nothing_was_kept_training_starts(tmp_path: Path) -> None:
    assert checkpoint_in(tmp_path / "new").load([]) == Progress()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (MADE_FROM | {"params": {"models.cnn": {"learning_rate": 0.2}}}, "params.models.cnn.learning_rate"),
        (MADE_FROM | {"data": {"data/packed/train": "13"}}, "data.data/packed/train"),
        (MADE_FROM | {"code": "cd"}, "code"),
        (MADE_FROM | {"versions": {"keras": "3"}}, "versions"),
    ],
)
def test_a_state_of_another_training_is_left_aside_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture, other: dict[str, Any], named: str
) -> None:
    kept(tmp_path)
    here = variables(np.float32([0, 0]), np.int64(0))
    assert checkpoint_in(tmp_path, other).load(here) == Progress()
    assert here[1].value == 0
    assert capsys.readouterr().err == (
        f"{tmp_path}/state.npz: an interrupted training, but with another {named}: training starts over\n"
    )


@pytest.mark.parametrize(("damaged", "said"), [("state.npz", ""), ("best.npz", "best.npz: ")])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-40], lambda data: b"", lambda data: b"no zip" * 99, flipped]
)
def test_a_state_that_cannot_be_read_is_left_aside_and_so_is_one_whose_best_weights_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture, damaged: str, said: str, damage: Any
) -> None:
    kept(tmp_path)
    file = tmp_path / damaged
    file.write_bytes(damage(file.read_bytes()))
    assert checkpoint_in(tmp_path).load(variables(np.float32([0, 0]), np.int64(0))) == Progress()
    line = capsys.readouterr().err
    assert line.startswith(f"{tmp_path}/state.npz: cannot be read ({said}")
    assert line.endswith("): training starts over\n")
    assert ("Bad CRC-32" in line) == (damage is flipped)


def test_a_state_whose_best_weights_are_gone_is_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept(tmp_path)
    (tmp_path / "best.npz").unlink()
    assert checkpoint_in(tmp_path).load(variables(np.float32([0, 0]), np.int64(0))) == Progress()
    assert capsys.readouterr().err == (
        f"{tmp_path}/state.npz: cannot be read (best.npz is missing): training starts over\n"
    )


def test_a_state_beside_the_best_weights_of_another_training_is_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path)
    other = checkpoint_in(tmp_path, MADE_FROM | {"code": "cd"})
    other.update_best(variables(np.float32([7, 7])))
    full_for("the state of the training", monkeypatch)
    with pytest.raises(UserError):
        other.save(variables(np.float32([9, 9]), np.int64(9)), HALFWAY)
    assert checkpoint_in(tmp_path).load(variables(np.float32([0, 0]), np.int64(0))) == Progress()
    assert capsys.readouterr().err == (
        f"{tmp_path}/state.npz: cannot be read (best.npz is of another training): training starts over\n"
    )


def test_best_weights_damaged_in_the_meantime_are_answered_by_what_to_remove(tmp_path: Path) -> None:
    training = kept(tmp_path)
    (tmp_path / "best.npz").write_bytes(b"no zip")
    with pytest.raises(UserError) as caught:
        training.restore_best(variables(np.float32([0, 0]), np.int64(0)))
    assert str(caught.value) == (
        f"{tmp_path}/best.npz: the best weights of the training are damaged: remove {tmp_path} and run the"
        " same command again, to train anew"
    )


@pytest.mark.parametrize("what", ["the state of the training", "the best weights of the training"])
def test_a_full_disk_leaves_the_state_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    training = kept(tmp_path)
    before = (tmp_path / "state.npz").read_bytes()
    training.update_best(variables(np.float32([7, 7])))
    full_for(what, monkeypatch)
    with pytest.raises(UserError):
        training.save(variables(np.float32([9, 9]), np.int64(9)), Progress())
    assert (tmp_path / "state.npz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.npz", "state.npz"]


def test_the_best_weights_are_written_with_the_state_and_not_before(tmp_path: Path) -> None:
    training, network = checkpoint_in(tmp_path), variables(np.float32([1, 2]))
    training.update_best(network)
    network[0].value += 7  # the training goes on with them
    assert not (tmp_path / "best.npz").exists()
    training.save(network, HALFWAY)
    best = variables(np.float32([0, 0]))
    training.restore_best(best)
    assert best[0].value.tolist() == [1, 2]
    written = (tmp_path / "best.npz").stat().st_ino
    training.save(network, HALFWAY)
    assert (tmp_path / "best.npz").stat().st_ino == written


def test_it_is_due_when_keeping_takes_no_more_than_a_twentieth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0, 5, 10, 12, 49, 50, 50, 611, 612])  # begun; asked; saved in 2 s; asked from then on
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    training = checkpoint_in(tmp_path)
    assert training.is_due()
    training.save(variables(np.float32([1])), Progress())
    assert [training.is_due() for _ in range(2)] == [False, True]
    assert [training.is_overdue() for _ in range(3)] == [False, False, True]


def test_what_is_overdue_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 0, 100, 699, 700])  # to keep it takes 100 s
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    training = checkpoint_in(tmp_path)
    training.save(variables(np.float32([1])), Progress())
    assert [training.is_due() for _ in range(2)] == [False, True]


def test_it_is_gone_once_the_training_has_succeeded(tmp_path: Path) -> None:
    training = kept(tmp_path / "cnn")
    training.discard()
    assert not (tmp_path / "cnn").exists()


def test_seconds_are_counted_on_where_a_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0, 5, 6, 100, 103, 107, 200, 209])
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    first = checkpoint_in(tmp_path)
    first.save(variables(np.float32([1])), HALFWAY)  # after 5 seconds, in one
    resumed = checkpoint_in(tmp_path)
    assert resumed.seconds == 3
    assert resumed.load(variables(np.float32([0]))) == HALFWAY
    assert resumed.seconds == 5 + 7
    other = checkpoint_in(tmp_path, MADE_FROM | {"code": "cd"})
    other.load(variables(np.float32([0])))
    assert other.seconds == 9


def test_figures_are_added_to_the_curves_one_evaluation_after_the_other() -> None:
    progress = Progress().followed_by({"loss": 1}).followed_by({"val_loss": 2})
    assert progress.followed_by({"loss": 3.5}) == Progress(curves={"loss": [1.0, 3.5], "val_loss": [2.0]})
