"""Trackers are told a training's figures while it runs, and cannot end it, whatever becomes of them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from deepfake_ensemble.tracking import following
from deepfake_ensemble.tracking.following import Follow, Followed

MADE_FROM = {"params": {"seed": 1}, "digest": "0123456789abcdef"}


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let something else stand for MLflow."""
    return lambda opened: monkeypatch.setattr(following, "OPEN", {"mlflow": opened})


def follow(*told: tuple[int, dict[str, float]]) -> None:
    with following.following(["mlflow"], study="ensemble", run="cnn", made_from=MADE_FROM) as tell:
        for step, figures in told:
            tell(step, figures)


def test_a_tracker_is_told_everything_in_order_before_the_training_is_done(replaced):
    seen: list[Any] = []

    @contextmanager
    def opened(training: Followed) -> Iterator[Follow]:
        seen.append(training.name)
        yield lambda step, figures: seen.append((step, figures))
        seen.append("closed")

    replaced(opened)
    follow((5, {"loss": 0.5}), (10, {"loss": 0.25}))
    assert seen == ["cnn-0123456789ab", (5, {"loss": 0.5}), (10, {"loss": 0.25}), "closed"]


def test_a_tracker_hears_while_the_training_runs(replaced):
    heard = threading.Event()

    @contextmanager
    def opened(training: Followed) -> Iterator[Follow]:
        yield lambda step, figures: heard.set()

    replaced(opened)
    with following.following(["mlflow"], study="ensemble", run="cnn", made_from=MADE_FROM) as tell:
        tell(1, {"loss": 0.5})
        assert heard.wait(60)


def test_nobody_is_told_where_nobody_asked():
    threads = threading.active_count()
    with following.following([], study="ensemble", run="cnn", made_from=MADE_FROM) as tell:
        tell(1, {"loss": 0.5})
        assert threading.active_count() == threads


def fails_at_once(training: Followed) -> Any:
    raise OSError("no such server\nand a long story")


@contextmanager
def fails_when_told(training: Followed) -> Iterator[Follow]:
    def log(step: int, figures: Mapping[str, float]) -> None:
        raise OSError("no such server")

    yield log


@contextmanager
def fails_at_the_end(training: Followed) -> Iterator[Follow]:
    yield lambda step, figures: None
    raise OSError("no such server")


@pytest.mark.parametrize("opened", [fails_at_once, fails_when_told, fails_at_the_end])
def test_a_tracker_that_fails_says_so_in_one_line_and_ends_nothing(opened, replaced, capfd):
    replaced(opened)
    follow((1, {"loss": 0.5}), (2, {"loss": 0.25}))
    assert capfd.readouterr().err == "cnn: mlflow no longer follows: no such server\n"


def test_a_tracker_that_hangs_holds_nothing_up(replaced, monkeypatch):
    released = threading.Event()

    @contextmanager
    def opened(training: Followed) -> Iterator[Follow]:
        released.wait()
        yield lambda step, figures: None

    replaced(opened)
    monkeypatch.setattr(following, "PATIENCE", 0.0)
    follow((1, {"loss": 0.5}))
    released.set()


def test_a_tracker_that_is_not_installed_is_named_with_how_to_install_it(replaced, capfd):
    def opened(training: Followed) -> Any:
        raise ModuleNotFoundError("No module named 'mlflow'")

    replaced(opened)
    follow((1, {"loss": 0.5}))
    assert (
        capfd.readouterr().err == "cnn: mlflow no longer follows: not installed: pip install -e '.[mlflow]'\n"
    )


def test_an_error_of_the_training_passes_through():
    with (
        pytest.raises(KeyboardInterrupt),
        following.following([], study="ensemble", run="cnn", made_from=MADE_FROM),
    ):
        raise KeyboardInterrupt
