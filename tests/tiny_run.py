"""The whole pipeline, run small in a clone, and an experiment on it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clones import Clone, clone

# Soon done, yet enough steps that the detectors differ, and with them their weights.
TINY: dict[str, Any] = {
    "profile": "sample",
    "training.epochs": 1,
    "training.batch_size": 16,
    "comparison.resamples": 100,
    "profiles.sample.image_size": 32,
    "profiles.sample.counts": {"train": 128, "val": 32, "test": 40, "cifake": 40},
    "profiles.sample.training.batch_norm_momentum": 0.5,
    "profiles.sample.perturbed_images": 8,
    "explanations.of_each_outcome": 2,
}
MODELS = ["cnn", "resnet50", "xception", "efficientnet_b4"]
NETWORKS = {
    "initialise",
    "train",
    "predict",
    "assemble",
    "costs",
    "perturb",
    "explain",
    "export",
}  # the stages that compute with TensorFlow
RATE = "models.resnet50.learning_rate"


@dataclass(frozen=True)
class Run:
    """The whole pipeline, run in a clone, and everything committed there on the branch `main`.

    Attributes:
        clone: of the project.
        log: what `dvc repro` printed; Python reported each module that a stage imported.
        store: the folder that is the clone's default DVC remote; nothing is pushed yet.
    """

    clone: Clone
    log: str
    store: Path


@dataclass(frozen=True)
class Experiment:
    """An experiment in the clone of a run, which was left as it was before.

    Attributes:
        name: by which DVC knows it.
        log: what `dvc exp run` printed.
        back: what `dvc repro` printed when params.yaml was as before.
        left: what git found changed after that.
    """

    name: str
    log: str
    back: str
    left: str


def run(folder: Path) -> Run:
    """Run the pipeline for all four detectors: one epoch, 32 pixels."""
    there, store = clone(folder / "clone"), folder / "store"
    shutil.rmtree(there / ".git")  # DVC looks at every commit, and the project has hundreds
    there.git("init", "--quiet", "--initial-branch", "main")
    there.commit("The project")
    there.set_params(TINY)
    there.dvc("remote", "add", "--quiet", "--default", "store", str(store))
    log = there.dvc("repro", environment={"PYTHONPROFILEIMPORTTIME": "1"})
    there.commit("A tiny study")
    return Run(there, log, store)


def lower_the_rate(of: Run) -> Experiment:
    """Train ResNet50 with another learning rate and run everything after it; then go back."""
    there, name = of.clone, "lower-rate"
    log = there.dvc("exp", "run", "--name", name, "--set-param", f"{RATE}=2.0e-5")
    there.git("checkout", "--quiet", "params.yaml")
    back = there.dvc("repro")
    left = there.changed()
    there.restore()
    return Experiment(name, log, back, left)
