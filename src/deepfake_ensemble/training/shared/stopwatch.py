"""How long a training took, and on what; apart from results, whose bytes do not vary."""

import json
import time
from pathlib import Path

from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.workflow.machine import commit, machine

# What may differ from a commit: results, the documents made of them, and params, which the digest tells.
RESULTS = ("params.yaml", "dvc.lock", "reports", "results.json", "../docs")
FOLDER = Path("measured")  # in no commit: residual/results.json takes over what counts


class Stopwatch:
    """Adds up the seconds that a training takes, beside its interrupted state.

    Attributes:
        commit: on which the training began.
    """

    def __init__(self, folder: Path) -> None:
        """Go on with what is in `folder`, which is removed when the training has succeeded."""
        self._file = folder / "seconds.json"
        self._here = commit(apart_from=RESULTS)
        try:
            before = json.loads(self._file.read_text(encoding="utf-8"))
            self._before, self.commit = float(before["seconds"]), before["commit"]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            self._before, self.commit = 0.0, self._here
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    def keep(self) -> None:
        """Write down the seconds so far."""
        write_json(self._file, {"seconds": self.seconds, "commit": self.commit})

    def reset(self) -> None:
        """Forget what was before: the training starts over."""
        self._before, self.commit = 0.0, self._here


def write(run: str, digest: str, seconds: float, training_images: int, began_on: str | None) -> None:
    """Write `measured/RUN.json`: what results.json says of a run beside its scores.

    `digest` tells what params it was made with, which need not be those of the commit that it began on.
    """
    write_json(
        FOLDER / f"{run}.json",
        {
            "digest": digest,
            "minutes": round(seconds / 60, 2),
            "training_images": training_images,
            "machine": machine(),
            "commit": began_on,
        },
    )
