"""The loop waits for a step's figures as seldom as it can, and looks at all of them."""

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training.shared import driver
from deepfake_ensemble.training.shared.checkpoint import Checkpoint


class OnGpu:
    """A figure whose value is waited for."""

    def __init__(self, told: list[str], step: int, value: float) -> None:
        self._told, self._step, self._value = told, step, value

    def __float__(self) -> float:
        self._told.append(f"read {self._step}")
        return self._value


class Short:
    """A training of so many steps, with one evaluation at the end; `told` is what happened, in order."""

    when_out_of_memory = when_not_finite = "change something"

    def __init__(self, steps: int, losses: dict[int, float]) -> None:
        self.steps, self.losses, self.told = steps, losses, list[str]()
        self.model: Any = SimpleNamespace(name="short", variables=[])
        self.state: list[Any] = []

    def position(self, step: int) -> str:
        return f"step {step}"

    def evaluated_after(self, evaluation: int) -> int:
        return self.steps

    def is_finished(self, progress: Any) -> bool:
        return progress.evaluations == 1

    def is_best(self, curves: Any) -> bool:
        return True

    def batches(self, step: int) -> Iterator[Any]:
        while True:
            yield None

    def train_on_batch(self, batch: Any, step: int) -> driver.Figures:
        self.told.append(f"begin {step}")
        return {"loss": OnGpu(self.told, step, self.losses.get(step, 0.5))}

    def training_figures(self, step: int) -> driver.Figures:
        return {"loss": 0.25} if step == self.steps else {}

    def evaluate(self, watched: driver.Watch) -> driver.Figures:
        return {"val_loss": 0.125}


def run(training: Short, folder: Path, save_every: float = math.inf) -> Any:
    return driver.run(training, Checkpoint(folder, {}, save_every), lambda step, figures: None)


def test_steps_begin_before_the_figures_of_those_before_are_read(tmp_path: Path) -> None:
    training = Short(driver.UNREAD + 2, {})
    assert run(training, tmp_path) == {"loss": [0.25], "val_loss": [0.125]}
    all_steps, first = range(1, training.steps + 1), driver.UNREAD
    begun, read = ([f"{what} {step}" for step in all_steps] for what in ("begin", "read"))
    assert training.told == [*begun[:first], *read[:first], *begun[first:], *read[first:]]


def test_the_first_step_whose_loss_is_no_number_is_named(tmp_path: Path) -> None:
    training = Short(driver.UNREAD, {3: math.nan, 4: math.inf})
    with pytest.raises(UserError, match="short: the loss became nan in step 3: change something"):
        run(training, tmp_path)


def test_nothing_is_kept_before_it_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nan in step 1"):
        run(Short(driver.UNREAD, {1: math.nan}), tmp_path, save_every=0)
    assert not list(tmp_path.iterdir())
