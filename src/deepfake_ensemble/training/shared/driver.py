"""The loop of every training: it can be interrupted anywhere, and goes on as if nothing had happened."""

import math
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Protocol, SupportsFloat

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.progress import terminal_progress
from deepfake_ensemble.reading.batches import Batch
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Curves, Progress

if TYPE_CHECKING:
    import keras

Watch = Callable[[Iterator[Batch]], Iterator[Batch]]
Figures = Mapping[str, SupportsFloat]
"""By name; numbers, or tensors that may still be on a GPU: their values are waited for when they are read."""
Follow = Callable[[int, Mapping[str, float]], None]
"""Is told a step and the figures that are known after it, and decides nothing."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
UNREAD = 10  # steps at most whose figures are not read yet: a GPU that is asked after each waits for the next


class Training(Protocol):
    """What a study says of its training. Steps are batches; they are counted over all epochs, from 1.

    Attributes:
        model: what is trained.
        state: every variable that the next step depends on, and each evaluation's figures.
        when_out_of_memory: what to change then.
        when_not_finite: what to change where a loss is no finite number any more.
    """

    model: "keras.Model"
    state: Sequence["keras.Variable"]
    when_out_of_memory: str
    when_not_finite: str

    def position(self, step: int) -> str:
        """Return how people call the end of a step."""

    def evaluated_after(self, evaluation: int) -> int:
        """Return the step after which an evaluation comes; evaluations count from 0."""

    def is_finished(self, progress: Progress) -> bool:
        """Tell, after an evaluation, whether it was the last one."""

    def is_best(self, curves: Curves) -> bool:
        """Tell whether the weights of the last evaluation are the best so far."""

    def batches(self, step: int) -> Iterator[Batch]:
        """Yield the batches of the steps after `step`, without end."""

    def train_on_batch(self, batch: Batch, step: int) -> Figures:
        """Begin a step; return its figures, or nothing where the evaluation's are enough."""

    def training_figures(self, step: int) -> Figures:
        """Return what is to be recorded of the steps up to this one; after most steps, nothing.

        After a step that an evaluation follows there is something.
        """

    def evaluate(self, watched: Watch) -> Figures:
        """Return the figures on validation.

        Its batches go through `watched`, which raises where it is to end early; it is then done anew.
        """


def run(training: Training, checkpoint: Checkpoint, follow: Follow) -> Curves:
    """Train from the beginning or from a checkpoint, and leave the model with its best weights.

    Args:
        training: a study's own part.
        checkpoint: keeps the training when it is due and on Ctrl-C or SIGTERM; discard it when the result is
            safe.
        follow: is told every figure as soon as it is there.

    Returns:
        Under each name that the training gives its figures, their values in order.

    Raises:
        UserError: if a figure is no longer finite, an image cannot be read, or memory or disk run out.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, as soon as the training is kept.
    """
    import tensorflow as tf

    progress = checkpoint.load(training.state)
    if progress.step:
        after = training.position(progress.step)
        print(f"{training.model.name}: goes on with an interrupted training, after {after}", flush=True)
    batches = training.batches(progress.step)
    try:
        with deferred_signals() as asked_to_stop:
            loop = _Loop(training, checkpoint, follow, asked_to_stop)
            while not training.is_finished(progress):
                end = training.evaluated_after(progress.evaluations)
                if progress.step < end:
                    progress = loop.train(batches, progress, end)
                progress = loop.evaluate(progress)
                finished = training.is_finished(progress)
                if checkpoint.is_due() or finished or asked_to_stop():
                    checkpoint.save(training.state, progress)
                    if asked_to_stop() and not finished:
                        raise KeyboardInterrupt
    except tf.errors.ResourceExhaustedError:
        raise UserError(f"{training.model.name}: out of memory: {training.when_out_of_memory}") from None
    checkpoint.restore_best(training.model.variables)
    return progress.curves


@dataclass(frozen=True)
class _Loop:
    """What of a training lies between two moments at which it can end by itself."""

    training: Training
    checkpoint: Checkpoint
    follow: Follow
    asked_to_stop: Callable[[], bool]

    def train(self, batches: Iterator[Batch], progress: Progress, end: int) -> Progress:
        """Take all steps up to `end`, after which an evaluation comes."""
        training = self.training
        label = f"{training.model.name}, {training.position(end)}"
        unread: dict[int, Figures] = {}
        with terminal_progress(label, end - progress.step) as advance:
            for step in range(progress.step + 1, end + 1):
                unread[step] = training.train_on_batch(next(batches), step)
                advance(1)
                keep = step < end and (self.asked_to_stop() or self.checkpoint.is_overdue())
                if keep or step == end or len(unread) == UNREAD:
                    for begun, figures in unread.items():
                        _finite(training, figures, begun)
                    unread.clear()
                recorded = _finite(training, training.training_figures(step), step)
                progress = replace(progress.followed_by(recorded), step=step)
                if recorded and step < end:  # at the end it is told with the evaluation
                    self.follow(step, recorded)
                if keep:
                    self.checkpoint.save(training.state, progress)
                    if self.asked_to_stop():
                        raise KeyboardInterrupt
        return progress

    def evaluate(self, progress: Progress) -> Progress:
        """Evaluate the model, and hold its weights where they are the best so far."""
        training = self.training
        try:
            figures = _finite(training, training.evaluate(self._watched), progress.step)
        except _Stopped:
            self.checkpoint.save(training.state, progress)
            raise KeyboardInterrupt from None
        progress = replace(progress.followed_by(figures), evaluations=progress.evaluations + 1)
        best = training.is_best(progress.curves)
        if best:
            self.checkpoint.update_best(training.model.variables)
        latest = {name: values[-1] for name, values in progress.curves.items()}
        shown = ", ".join(f"{name} {value:.4g}" for name, value in latest.items())
        print(f"{training.position(progress.step)}: {shown}{', the best so far' if best else ''}", flush=True)
        self.follow(progress.step, latest)
        return progress

    def _watched(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            if self.asked_to_stop():
                raise _Stopped


class _Stopped(Exception):
    """A signal has come during an evaluation."""


def _finite(training: Training, figures: Figures, step: int) -> Mapping[str, float]:
    """Read the figures; end a training that can only waste time, whose best weights would hide that."""
    read = {name: float(value) for name, value in figures.items()}
    for name, value in read.items():
        if not math.isfinite(value):
            what = f"the {name.replace('val_', 'validation ')} became {value} in {training.position(step)}"
            raise UserError(f"{training.model.name}: {what}: {training.when_not_finite}")
    return read


@contextmanager
def deferred_signals() -> Iterator[Callable[[], bool]]:
    """Defer Ctrl-C and SIGTERM inside the block; yield a function that says whether one has come.

    The block is to look at safe moments and to end itself with KeyboardInterrupt. A second signal does not
    wait for that.
    """
    came = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = {signum: signal.signal(signum, note) for signum in SIGNALS}
    try:
        yield lambda: came
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
