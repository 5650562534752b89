"""Measure what the paper's scaling costs, and what ImageNet's weights bring, with EfficientNet-Lite0.

    python benchmarks/lite0.py

The paper divides its images by 255 whatever the weights were trained with (section 3.2.3). Here Lite0 is
trained from its ImageNet weights with that scaling (`unit`) and with its own (`native`), on faces and on
CIFAKE, with three seeds; and from ImageNet's and from random weights, with 160 to 1,260 training faces. All
else is the same in a comparison, the number of steps too; test images are scored once per training.

Needs the archives that profile `small` needs. The trainings are done one after another in
.dvc/tmp/runs/lite0, with this folder's DVC cache: what an interruption leaves done is not done again.
Writes docs/measurements/lite0.json; `make results` shows it.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from deepfake_ensemble.comparison.intervals import wilson
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.sample import Sample, sample
from deepfake_ensemble.comparison.spread import by_image, crossed_effects, spread
from deepfake_ensemble.evaluation.predictions import read_split
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_result
from deepfake_ensemble.training.ensemble.curves import Summary, read_rows
from deepfake_ensemble.workflow.machine import commit
from harness import FOLDER, keep
from real_run import CLONES, prepare, reproduce, with_one_model

FILE = FOLDER / "lite0.json"
TIMES = CLONES / "lite0.json"
MODEL = "efficientnet_lite0"
SEEDS = (42, 43, 44)
FACES = (160, 320, 640, 1260)
STEPS = 400  # of 32 images, whatever the number of training images


@dataclass(frozen=True)
class Training:
    """One training; `set` is faces or cifake, `scaling` and `start` are as in params.yaml."""

    set: str
    images: int
    scaling: str = "native"
    start: str = "imagenet"
    seed: int = 42

    @property
    def split(self) -> str:
        """The split that it is tested on: 270 faces, or CIFAKE's test part without copies."""
        return "test" if self.set == "faces" else "cifake_leak_free"

    def changes(self) -> list[str]:
        """Return what it changes in params.yaml."""
        run = {"faces": "laptop", "cifake": "cifake"}[self.set]
        profile = f"profiles.{run}"
        size = {"faces": 128, "cifake": 64}[self.set]
        epochs = round(STEPS / -(-self.images // 32))
        return [
            *with_one_model(run, MODEL),
            f"seed={self.seed}",
            f"models.{MODEL}.input_scaling={self.scaling}",
            f"{profile}.initial_weights={self.start}",
            f"{profile}.image_size={size}",
            f"{profile}.counts.train={self.images}",
            f"{profile}.training.crop=null",
            f"{profile}.training.cosine={{epochs:{epochs},warm_up:0.1}}",
        ]


SCALINGS = [
    Training(of, images, scaling=scaling, seed=seed)
    for of, images in (("faces", 1260), ("cifake", 12800))
    for seed in SEEDS
    for scaling in ("unit", "native")
]
STARTS = [Training("faces", images, start=start) for images in FACES for start in ("random", "imagenet")]


def probabilities(of: Training, clone: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Train, predict, and return labels, P(fake), and the minutes that it took.

    Raises:
        UserError: if a stage fails.
    """
    minutes = reproduce(clone, f"predict@{MODEL}", of.changes(), TIMES)
    found = read_split([MODEL], of.split, folder=clone / "predictions")
    return found.labels, found.p_fake[MODEL], minutes


def kept_epoch(clone: Path) -> dict[str, Any]:
    """Return which epoch's weights a training left, and the validation accuracy of these and of its last."""
    epochs = read_rows(clone / "models/curves" / MODEL)
    *_, last = epochs[-1]
    kept = read_result(clone / "models/curves" / MODEL / "metrics.json", Summary)
    return {
        "epochs": kept.epochs,
        "kept_epoch": kept.best_epoch,
        "val_accuracy": kept.val_accuracy,
        "last_val_accuracy": float(last),
    }


def figures(of: Sample, name: str) -> dict[str, Any]:
    """Return one training's figures on its test images."""
    one = of.detectors[name]
    return {
        "n": len(of.labels),
        "accuracy": asdict(wilson(int(one.right.sum()), len(one.right))),
        **{metric: one.estimates[metric] for metric in ("auc", "log_loss")},
    }


def gains(samples: Sequence[Sample], first: str, second: str) -> dict[str, Any]:
    """Return what `first` gains over `second`, by metric: for each seed, and over seeds and images."""
    found = {}
    for metric in get_args(Tested):
        values = np.stack([by_image(of, first, second, metric) for of in samples])
        found[metric] = asdict(spread(values.mean(axis=1).tolist())) | {
            "crossed": asdict(crossed_effects(values))
        }
    return found


def main() -> None:
    clone = CLONES / "lite0"
    if not clone.exists():
        prepare(clone)
    every = list(dict.fromkeys([*SCALINGS, *STARTS]))
    told, tested = [], {}
    for number, of in enumerate(every, 1):
        print(f"training {number} of {len(every)}: {of}", flush=True)
        labels, p_fake, minutes = probabilities(of, clone)
        tested[of] = labels, p_fake
        found = sample(labels, {MODEL: p_fake}, resamples=2, seed=0)
        told.append(asdict(of) | figures(found, MODEL) | kept_epoch(clone) | {"minutes": minutes})
    by_seed = {
        name: [
            sample(tested[pair[0]][0], {of.scaling: tested[of][1] for of in pair}, resamples=2, seed=0)
            for seed in SEEDS
            if (pair := [of for of in SCALINGS if (of.set, of.seed) == (name, seed)])
        ]
        for name in ("faces", "cifake")
    }
    keep(
        FILE,
        {
            # Of what was trained: after an interruption this folder may have gone on to another.
            "commit": commit(apart_from=("params.yaml", "dvc.lock", "reports"), digits=12, folder=clone),
            "minutes": sum(of["minutes"] for of in told),
            "native_less_unit": {name: gains(of, "native", "unit") for name, of in by_seed.items()},
            "trainings": told,
        },
    )


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(__doc__)
    with exiting():
        main()
