"""Training as `fit` runs it, against the bare training step on a batch that is already in memory.

    python benchmarks/feeding.py [MODEL ...] [--settings 256:none 40:decoded] [--repeats 5] [--least 2]

A setting is the side of the images in pixels, and `cache`. `fit` itself trains each model from packed JPEGs
of 256×256 pixels; within it, blocks of its own steps and blocks of the bare step take turns: the same step,
compiled once, fed with one batch over and over. A step of `fit` counts with all that happens until the next
one, and those do not that find a batch which was read while the bare steps went on. The processor settings
are the active profile's, and each model and setting has a process of its own.
Nothing else should run meanwhile; takes a quarter of an hour. Writes docs/measurements/feeding.json.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError, exiting
from harness import FOLDER, alone, here, keep, of_several, options, pin
from training_steps import BATCH, built, started

FILE = FOLDER / "feeding.json"

SETTINGS = ("256:none", "40:decoded")
AHEAD = 3  # reading/batches.py reads as far; it imports NumPy, for which `measured` is not ready
STEPS = 1000  # of the epoch within which all blocks must lie: its end is no part of a step


class Enough(Exception):
    """All blocks are measured."""


class Turns:
    """Stands in `fit` for its compiled step; counts its seconds, and those of the same step on one batch."""

    def __init__(self, step: Callable[[Any], Any], batch: Any, repeats: int, least: float) -> None:
        self._step, self._batch = step, batch
        self._repeats, self._least = repeats, least
        self._taken = 0  # of the present block of `fit`; below 0 while it takes what was read beforehand
        self._block = 0  # steps
        self._start = 0.0
        self.seconds: dict[str, list[float]] = {"bare": [], "fit": []}  # of a step, by block

    def __call__(self, batch: Any) -> Any:
        if not self._block:
            self._trace()
        elif self._taken == self._block:
            self.seconds["fit"].append((time.perf_counter() - self._start) / self._block)
            self._bare()
        if not self._taken:
            self._start = time.perf_counter()
        self._taken += 1
        return self._step(batch)

    def _trace(self) -> None:
        """Trace the step, and see how many make a block."""
        for _ in range(2):
            start = time.perf_counter()
            _read(self._step(self._batch))
        self._block = max(2, math.ceil(self._least / (time.perf_counter() - start)))
        self._bare()

    def _bare(self) -> None:
        if len(self.seconds["fit"]) == self._repeats:
            raise Enough
        start = time.perf_counter()
        for _ in range(self._block):
            _read(self._step(self._batch))
        self.seconds["bare"].append((time.perf_counter() - start) / self._block)
        # Meanwhile the reader went on: steps that find their batch there already do not count.
        self._taken = -AHEAD


def _read(figures: Mapping[str, Any]) -> None:
    for value in figures.values():
        float(value)


def measured(name: str, setting: str, repeats: int, least: float) -> dict[str, list[float]]:
    """Return the seconds of a step in each block, of `fit` and bare."""
    settings = pin()
    import numpy as np

    import stand_ins
    from deepfake_ensemble.reading.batches import Batches, BatchReader
    from deepfake_ensemble.training.ensemble import fitting
    from deepfake_ensemble.training.ensemble.decoded import DecodedReader
    from deepfake_ensemble.training.ensemble.recipe import Recipe
    from deepfake_ensemble.training.shared import steps
    from deepfake_ensemble.training.shared.checkpoint import Checkpoint

    side, cache = setting.split(":")
    adaptation = started()
    model = built(name, int(side))
    with tempfile.TemporaryDirectory() as scratch:
        packed = stand_ins.packed(Path(scratch) / "packed", stand_ins.pictures(256, 75, 256), STEPS * BATCH)
        reader: Batches = BatchReader(packed, int(side), threads=settings.readers)
        if cache == "decoded":
            reader = DecodedReader(reader, mirrored=True)
        batch = reader.read(np.arange(BATCH))
        compiled, turns = steps.compiled, []

        def turning(*step: Any, **options: Any) -> Turns:
            turns.append(Turns(compiled(*step, **options), batch, repeats, least))
            return turns[-1]

        steps.compiled = turning
        try:
            fitting.fit(
                model,
                reader,
                reader,
                recipe=Recipe(
                    epochs=1,
                    batch_size=BATCH,
                    accumulation=1,
                    validation_batch_size=BATCH,
                    early_stopping_patience=1,
                ),
                learning_rate=1e-6,
                jit_compile=adaptation.jit_compile,
                seed=0,
                checkpoint=Checkpoint(Path(scratch) / "checkpoint", {}, save_every=math.inf),
                follow=lambda step, figures: None,
            )
        except Enough:
            return turns[0].seconds  # the first compiled is that of training
    raise UserError(
        f"{name} at {setting}: the epoch ended before all blocks were measured: lower --least or --repeats"
    )


def speeds(seconds: Mapping[str, Sequence[float]]) -> list[float]:
    """Return by turn how fast `fit` was, as a share of the bare step: what slows the machine slows both."""
    return [bare / fit for bare, fit in zip(seconds["bare"], seconds["fit"], strict=True)]


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    from deepfake_ensemble.workflow.generated import table

    rows = []
    for setting, found in results["settings"].items():
        side, cache = setting.split(":")
        for name, of in found.items():
            milliseconds = {each: [1000 * value for value in values] for each, values in of.items()}
            rows.append(
                [
                    name,
                    f"{side}×{side}, `cache: {cache}`",
                    of_several(milliseconds["bare"]),
                    of_several(milliseconds["fit"]),
                    of_several(speeds(of), 3),
                ]
            )
    header = ["detector", "images", "bare step (ms)", "step of `fit` (ms)", "speed of `fit` ÷ bare"]
    return f"""\
`python benchmarks/feeding.py` on {here(results)}. Training steps of {BATCH} images: `fit` reads
JPEGs of 256×256 pixels (quality 75), shuffled and half mirrored; the bare step has its batch in memory.
Medians of {results["repeats"]} blocks of each in turn, smallest and largest in brackets; the last column is
the median of the ratios of each block to the one beside it, not the ratio of the medians, which moves more
where a machine gets slower for a while.

{table(header, rows)}
"""


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), help="SIDE:CACHE")
    parser.add_argument("--repeats", type=int, default=5, help="blocks of steps, of either kind")
    parser.add_argument("--least", type=float, default=2.0, help="seconds that a block lasts at least")
    asked = parser.parse_args()
    settings: dict[str, dict[str, Any]] = {}
    for setting in asked.settings:
        found = settings.setdefault(setting, {})
        for name in asked.models:
            found[name] = alone(measured, name, setting, asked.repeats, asked.least)
            shown = of_several(speeds(found[name]), 3)
            print(f"{name} at {setting}: {shown} of the bare step's speed", flush=True)
    keep(asked.file, {"repeats": asked.repeats, "settings": settings})


if __name__ == "__main__":
    with exiting():
        main()
