"""An interrupted training is kept whole, used only for the same training, and says so otherwise."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training.shared import checkpoint as unfinished
from deepfake_ensemble.training.shared.checkpoint import START, Progress, Unfinished

MADE_FROM = {
    "params": {"models.cnn": {"learning_rate": 0.1}},
    "data": {"data/packed/train": "12"},
    "code": "ab",
}
HALFWAY = Progress(
    curves={"loss": [0.1 + 0.2, 0.3], "accuracy": [0.5, 0.75], "val_loss": [0.25], "val_accuracy": [1.0]},
    step=7,
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


def unfinished_in(folder: Path, made_from: dict[str, Any] = MADE_FROM, save_every: float = 600) -> Unfinished:
    return Unfinished(folder, made_from, save_every)


def kept(folder: Path) -> Unfinished:
    training = unfinished_in(folder)
    training.hold_best(variables(np.float32([0.5, 1.5])))
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

    monkeypatch.setattr(unfinished, "require_room", require_room)


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    kept(tmp_path)
    here = variables(np.float32([0, 0]), np.int64(0))
    assert unfinished_in(tmp_path).load(here) == HALFWAY
    assert [variable.value.tolist() for variable in here] == [[1.5, 2.5], 3]


def test_where_nothing_was_kept_training_starts(tmp_path: Path) -> None:
    assert unfinished_in(tmp_path / "new").load([]) == START


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
    assert unfinished_in(tmp_path, other).load(here) == START
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
    assert unfinished_in(tmp_path).load(variables(np.float32([0, 0]), np.int64(0))) == START
    line = capsys.readouterr().err
    assert line.startswith(f"{tmp_path}/state.npz: cannot be read ({said}")
    assert line.endswith("): training starts over\n")
    assert ("Bad CRC-32" in line) == (damage is flipped)


def test_a_state_whose_best_weights_are_gone_is_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept(tmp_path)
    (tmp_path / "best.npz").unlink()
    assert unfinished_in(tmp_path).load(variables(np.float32([0, 0]), np.int64(0))) == START
    assert capsys.readouterr().err == (
        f"{tmp_path}/state.npz: cannot be read (best.npz is missing): training starts over\n"
    )


def test_a_state_beside_the_best_weights_of_another_training_is_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path)
    other = unfinished_in(tmp_path, MADE_FROM | {"code": "cd"})
    other.hold_best(variables(np.float32([7, 7])))
    full_for("the state of the training", monkeypatch)
    with pytest.raises(UserError):
        other.save(variables(np.float32([9, 9]), np.int64(9)), HALFWAY)
    assert unfinished_in(tmp_path).load(variables(np.float32([0, 0]), np.int64(0))) == START
    assert capsys.readouterr().err == (
        f"{tmp_path}/state.npz: cannot be read (best.npz is of another training): training starts over\n"
    )


def test_best_weights_damaged_in_the_meantime_are_answered_by_what_to_remove(tmp_path: Path) -> None:
    training = kept(tmp_path)
    (tmp_path / "best.npz").write_bytes(b"no zip")
    with pytest.raises(UserError) as caught:
        training.load_best(variables(np.float32([0, 0]), np.int64(0)))
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
    training.hold_best(variables(np.float32([7, 7])))
    full_for(what, monkeypatch)
    with pytest.raises(UserError):
        training.save(variables(np.float32([9, 9]), np.int64(9)), START)
    assert (tmp_path / "state.npz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.npz", "state.npz"]


def test_the_best_weights_are_written_with_the_state_and_not_before(tmp_path: Path) -> None:
    training, network = unfinished_in(tmp_path), variables(np.float32([1, 2]))
    training.hold_best(network)
    network[0].value += 7  # the training goes on with them
    assert not (tmp_path / "best.npz").exists()
    training.save(network, HALFWAY)
    best = variables(np.float32([0, 0]))
    training.load_best(best)
    assert best[0].value.tolist() == [1, 2]
    written = (tmp_path / "best.npz").stat().st_ino
    training.save(network, HALFWAY)
    assert (tmp_path / "best.npz").stat().st_ino == written


def test_it_is_due_when_keeping_takes_no_more_than_a_twentieth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0, 5, 10, 12, 49, 50, 50, 611, 612])  # begun; asked; saved in 2 s; asked from then on
    monkeypatch.setattr(unfinished, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    training = unfinished_in(tmp_path)
    assert training.is_due()
    training.save(variables(np.float32([1])), START)
    assert [training.is_due() for _ in range(2)] == [False, True]
    assert [training.is_overdue() for _ in range(3)] == [False, False, True]


def test_what_is_overdue_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 0, 100, 699, 700])  # to keep it takes 100 s
    monkeypatch.setattr(unfinished, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    training = unfinished_in(tmp_path)
    training.save(variables(np.float32([1])), START)
    assert [training.is_due() for _ in range(2)] == [False, True]


def test_it_is_gone_once_the_training_has_succeeded(tmp_path: Path) -> None:
    training = kept(tmp_path / "cnn")
    training.discard()
    assert not (tmp_path / "cnn").exists()


def test_early_stopping_counts_from_the_first_of_the_best() -> None:
    progress = START
    assert progress.since_best == 0
    for loss, since_best in ((0.5, 0), (0.4, 0), (0.4, 1), (0.6, 2), (0.3, 0)):
        progress = progress.followed_by(loss=0.1, accuracy=0.5)
        progress = progress.followed_by(val_loss=loss, val_accuracy=0.5)
        assert progress.since_best == since_best
    assert progress.epochs == progress.validated == 5
