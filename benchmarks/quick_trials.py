"""Try learning rates, numbers of images and passes for profile `quick`, in small trainings.

    python benchmarks/quick_trials.py

`quick` is for a GPU and Kaggle's faces. What decides its settings is tried here as it trains, but in
float32 and without XLA and rewriting of the graph, on CIFAKE's training part scaled up to 64 pixels:
EfficientNet-Lite0 from ImageNet weights in place of the three networks that are fine-tuned, and the custom
CNN. One setting is changed at a time, and judged by 5,000 other images of that part; no test image is
looked at.

Needs CIFAKE's archive in data/local. The trainings are done one after another in .dvc/tmp/runs/quick_trials,
with this folder's DVC cache: what an interruption leaves done is not done again. Writes
docs/measurements/quick_trials.json; `make results` shows it.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.training.ensemble import curves
from deepfake_ensemble.workflow.machine import commit
from harness import FOLDER, keep
from real_run import CLONES, prepare, reproduce, with_one_model

FILE = FOLDER / "quick_trials.json"
TIMES = CLONES / "quick_trials.json"
PROFILE = "profiles.cifake"
FINE_TUNED, OWN = "efficientnet_lite0", "cnn"


@dataclass(frozen=True)
class Trial:
    """One training."""

    model: str
    learning_rate: float
    images: int
    epochs: int = 5

    def changes(self, file: Path) -> list[str]:
        """Return what it changes in `file`, a params.yaml."""
        of_batch = params.read(f"models.{self.model}.learning_rate", float, file)
        multiplier = round(self.learning_rate / of_batch, 6)
        training = params.read("profiles.quick.training", dict[str, Any], file) | {
            "epochs_at_most": self.epochs,
            "learning_rate_multiplier": {"own": multiplier, "transferred": multiplier},
            "precision": "float32",
            "jit_compile": False,
            "optimize_graph": False,
        }
        as_value = yaml.safe_dump(training, default_flow_style=True, width=float("inf")).strip()
        return [
            *with_one_model("cifake", self.model),
            f"{PROFILE}.initial_weights=imagenet",
            f"{PROFILE}.image_size=64",
            f"{PROFILE}.counts.train={self.images}",
            f"{PROFILE}.counts.val=5000",
            f"{PROFILE}.training={as_value.replace(' ', '')}",
        ]


TRIALS = (
    *(Trial(FINE_TUNED, rate, images=5000) for rate in (5e-5, 1e-4, 3e-4, 1e-3)),
    *(Trial(OWN, rate, images=5000) for rate in (1e-4, 3e-4, 1e-3)),
    *(Trial(FINE_TUNED, rate, images=10_000) for rate in (1e-4, 3e-4)),
    Trial(FINE_TUNED, 1e-4, images=5000, epochs=10),
)


def main() -> None:
    clone = CLONES / "quick_trials"
    if not clone.exists():
        prepare(clone)
    told = []
    for number, of in enumerate(TRIALS, 1):
        print(f"training {number} of {len(TRIALS)}: {of}", flush=True)
        reproduce(clone, f"train@{of.model}", of.changes(clone / params.FILE), TIMES)
        rows = curves.read_rows(clone / "models/curves" / of.model)
        _, _, _, losses, accuracies = (list(map(float, column)) for column in zip(*rows, strict=True))
        told.append(
            asdict(of) | {"val_loss": losses, "best_val_accuracy": accuracies[losses.index(min(losses))]}
        )
    keep(
        FILE,
        {
            # Of what was trained: after an interruption this folder may have gone on to another.
            "commit": commit(apart_from=("params.yaml", "dvc.lock", "reports"), digits=12, folder=clone),
            "val_images": 5000,
            "trials": told,
        },
    )


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(__doc__)
    with exiting():
        main()
