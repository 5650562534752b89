"""What is kept of a training, so that an interrupted one goes on as if nothing had happened.

Where it stands is one file, replaced as a whole: every number that the next step depends on (weights,
optimizer, dropout's generators, running means), how far it is, the learning curves so far, and what the
training is made from. Order and changes of the images are functions of (seed, epoch), and what ends a
training one of the curves, so they need no place in it. Beside it lie the best weights so far, which are
written with it: between two times they are held in memory.
"""

import json
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_file, require_room

if TYPE_CHECKING:
    import keras


PAUSE = 19  # times as long as keeping took: so it takes about a twentieth of the time where epochs are short
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)

Curves = Mapping[str, list[float]]
"""Figures of a training, by name: of the steps that are recorded, or of the evaluations."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training is.

    Attributes:
        step: how many steps are done.
        evaluations: how many evaluations are done.
        curves: the figures of both.
    """

    step: int = 0
    evaluations: int = 0
    curves: Curves = field(default_factory=dict)

    def followed_by(self, figures: Mapping[str, float]) -> "Progress":
        """Return the same progress with these figures at the end of the curves."""
        longer = {name: [*self.curves.get(name, ()), float(value)] for name, value in figures.items()}
        return replace(self, curves={**self.curves, **longer})


class Checkpoint:
    """The folder that holds one training until it has succeeded."""

    def __init__(self, folder: Path, made_from: Mapping[str, Any], save_every: float) -> None:
        """Name the folder, and give a JSON-able account of all that the training depends on.

        Args:
            folder: is made where it is missing.
            made_from: a state that was made from anything else is not used.
            save_every: seconds after which the training is to be kept, wherever it stands.
        """
        self._folder = folder
        self._file = folder / "state.npz"
        self._made_from = json.loads(json.dumps(made_from))
        self._best_file = folder / "best.npz"
        self._best: list[NDArray[Any]] | None = None  # not kept yet
        self._has_best = False
        self._save_every = save_every
        self._began = self._saved = time.monotonic()
        self._before = 0.0  # seconds of training until it was interrupted
        self._pause = 0.0  # seconds
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def seconds(self) -> float:
        """How long the training has taken so far, interruptions apart."""
        return self._before + time.monotonic() - self._began

    def is_overdue(self) -> bool:
        """Return whether the training is to be kept now, wherever it stands."""
        return time.monotonic() - self._saved >= self._save_every

    def is_due(self) -> bool:
        """Return whether the training is to be kept at a natural moment, as the end of an epoch is.

        The first time, when overdue, and otherwise PAUSE times as long after the last time as that took.
        """
        return time.monotonic() - self._saved >= min(self._pause, self._save_every)

    def save(self, variables: Sequence["keras.Variable"], progress: Progress) -> None:
        """Keep where the training stands, and the best weights so far.

        What was kept before is replaced when this is safely on the disk.

        Args:
            variables: every one that the next step depends on.
            progress: how far the training is.

        Raises:
            UserError: if the disk has no room for it; the state that was kept before stays.
        """
        start = time.monotonic()
        # First: beside an older state, from which the training comes to them again, they do no harm.
        if self._best is not None:
            self._keep(self._best_file, self._best, "the best weights of the training")
            self._best = None
        state = [np.asarray(variable.numpy()) for variable in variables]
        self._keep(
            self._file,
            state,
            "the state of the training",
            progress=asdict(progress),
            seconds=self._before + start - self._began,
            has_best=self._has_best,
        )
        self._saved = time.monotonic()
        self._pause = PAUSE * (self._saved - start)

    def load(self, variables: Sequence["keras.Variable"]) -> Progress:
        """Bring a kept training back into `variables`.

        One that was made from something else, or cannot be read, is left aside with a line that says why.

        Args:
            variables: as `save` was given them.

        Returns:
            How far it is; where there is none, no step.
        """
        try:
            with np.load(self._file, allow_pickle=False) as kept:
                head = _head(kept)
                other = next(differences(head["made_from"], self._made_from), None)
                if other is None:
                    arrays = _arrays(kept, variables)
                    progress, seconds = Progress(**head["progress"]), float(head["seconds"])
                    if head["has_best"]:
                        self._require_best()
        except FileNotFoundError:
            return Progress()
        except UNREADABLE as error:
            print(f"{self._file}: cannot be read ({error}): training starts over", file=sys.stderr)
            return Progress()
        if other is not None:
            print(
                f"{self._file}: an interrupted training, but with another {other}: training starts over",
                file=sys.stderr,
            )
            return Progress()
        _assign(variables, arrays)
        self._has_best, self._before = head["has_best"], seconds
        return progress

    def _require_best(self) -> None:
        """Raise ValueError unless the best weights lie there whole and are of this training."""
        name = self._best_file.name
        try:
            with np.load(self._best_file, allow_pickle=False) as kept:
                made_from = _head(kept)["made_from"]
                for array in kept.files:
                    kept[array]  # its check sum is compared
        except FileNotFoundError:
            raise ValueError(f"{name} is missing") from None
        except UNREADABLE as error:
            raise ValueError(f"{name}: {error}") from None
        if made_from != self._made_from:
            raise ValueError(f"{name} is of another training")

    def update_best(self, variables: Sequence["keras.Variable"]) -> None:
        """Take the variables of the network as the best so far, to be kept when the training next is."""
        self._best = [np.array(variable.numpy()) for variable in variables]
        self._has_best = True

    def restore_best(self, variables: Sequence["keras.Variable"]) -> None:
        """Give the network's variables the best weights that were kept.

        Raises:
            UserError: if the file is damaged.
        """
        try:
            with np.load(self._best_file, allow_pickle=False) as kept:
                arrays = _arrays(kept, variables)
        except UNREADABLE:
            raise UserError(
                f"{self._best_file}: the best weights of the training are damaged: remove {self._folder} and"
                " run the same command again, to train anew"
            ) from None
        _assign(variables, arrays)

    def _keep(self, file: Path, arrays: Sequence[NDArray[Any]], what: str, **head: Any) -> None:
        require_room(self._folder, sum(array.nbytes for array in arrays) + 2**20, what)
        numbered = {str(i): array for i, array in enumerate(arrays)}
        text = np.array(json.dumps({"made_from": self._made_from, **head}))
        with replacing_file(file, durable=True) as partial, partial.open("wb") as target:
            np.savez(target, allow_pickle=False, head=text, **numbered)

    def discard(self) -> None:
        """Remove the folder: the training has succeeded."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _head(kept: Mapping[str, NDArray[Any]]) -> Any:
    return json.loads(str(kept["head"]))


def _arrays(kept: Mapping[str, NDArray[Any]], variables: Sequence["keras.Variable"]) -> list[NDArray[Any]]:
    return [kept[str(i)] for i in range(len(variables))]


def _assign(variables: Sequence["keras.Variable"], arrays: Sequence[NDArray[Any]]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted paths at which two JSON-able values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path
