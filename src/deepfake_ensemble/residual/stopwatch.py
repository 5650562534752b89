"""How long a training took, and on what; apart from results, whose bytes do not vary."""

import json
import time
from pathlib import Path

from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.pipeline.machine import commit, machine

FOLDER = Path("measured")  # in no commit: residual/results.json takes over what counts


class Stopwatch:
    """Adds up the seconds that a training takes, beside its interrupted state."""

    def __init__(self, folder: Path) -> None:
        """Go on with what is in `folder`, which is removed when the training has succeeded."""
        self._file = folder / "seconds.json"
        try:
            self._before = float(json.loads(self._file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            self._before = 0.0
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    def keep(self) -> None:
        """Write down the seconds so far."""
        write_json(self._file, self.seconds)

    def reset(self) -> None:
        """Forget what was before: the training starts over."""
        self._before = 0.0


def write(run: str, digest: str, seconds: float, training_images: int) -> None:
    """Write `measured/RUN.json`: what results.json says of a run beside its scores.

    `digest` tells what params it was made with, which need not be those of the commit.
    """
    write_json(
        FOLDER / f"{run}.json",
        {
            "digest": digest,
            "minutes": round(seconds / 60, 2),
            "training_images": training_images,
            "machine": machine(),
            "commit": commit(apart_from=("params.yaml", "dvc.lock", "reports", "results.json")),
        },
    )
