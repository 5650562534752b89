"""What the ensemble study's pipeline does at the active profile, and what would run: `make plan`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.models import architecture
from deepfake_ensemble.perturbing.conditions import conditions
from deepfake_ensemble.studies.common import plan as common
from deepfake_ensemble.studies.common.plan import BYTES_PER_ROW, ceil
from deepfake_ensemble.studies.common.planning import Known, Plan, Work
from deepfake_ensemble.studies.ensemble.params import CHECK, Params


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training goes through, at most: it may stop early.

    Attributes:
        epochs: how many.
        images: in each.
        batch: how many of them a step takes.
        validated: images after each epoch.
    """

    epochs: int
    images: int
    batch: int
    validated: int

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        return ceil(self.images, self.batch)


def training(whole: Params) -> Training:
    """Return what the training of each model is at the active profile."""
    profile = whole.active
    recipe = profile.training.adapted(whole.training)
    return Training(
        epochs=recipe.epochs,
        images=profile.counts["train"],
        batch=recipe.batch_size,
        validated=profile.counts["val"],
    )


def perturbed(whole: Params) -> tuple[int, int]:
    """Return how many images each model predicts anew, and under how many conditions each of them."""
    return min(whole.active.perturbed_images, whole.active.counts["test"]), len(conditions(whole.robustness))


def _initialise(whole: Params, known: Known) -> Work:
    work = Work(f"random weights, seed {whole.seed}", {"weights": "random", "seed": whole.seed})
    published = architecture.find(known.item).imagenet
    if whole.active.start(known.item) == "imagenet" and published is not None:
        work = Work(f"ImageNet weights, {published.name}", {"weights": "imagenet", "file": published.name})
    if known.runs != "no":
        return work
    count = parameters(Path("models/initial") / f"{known.item}.weights.h5")
    return Work(f"{work.text}: {count:,} parameters", work.numbers | {"parameters": count})


def _train(whole: Params, known: Known) -> Work:
    profile, registered = whole.active, architecture.find(known.item)
    todo, size, at_once = training(whole), profile.image_size, whole.training.validation_batch_size
    validation_steps = ceil(todo.validated, at_once)
    rate = whole.models[known.item].learning_rate * profile.training.learning_rate_multiplier.of(registered)
    initial = profile.start(known.item)
    pretrained = initial == "imagenet" and registered.imagenet is not None
    frozen = whole.models[known.item].network.get("frozen_layers", 0) if pretrained else 0
    crop, cosine = profile.training.crop, profile.training.cosine
    seen = f"crops of {crop}×{crop} of " if crop else ""
    parts = [
        f"{todo.images:,} {seen}images of {size}×{size}: {todo.steps:,} steps of {todo.batch}",
        f"{todo.epochs} epochs" if cosine else f"at most {todo.epochs} epochs",
        f"validates {validation_steps:,} steps of {at_once}",
        f"learning rate {'up to ' if cosine else ''}{rate:.3g}",
        *([f"first {frozen} layers frozen"] if frozen else []),
    ]
    numbers = {
        "images": todo.images,
        "image_size": size,
        "crop": crop,
        "steps_per_epoch": todo.steps,
        "validation_steps": validation_steps,
        "epochs_at_most": todo.epochs,
        "learning_rate": rate,
        "frozen_layers": frozen,
        "precision": profile.training.precision,
    }
    return Work(", ".join(parts), numbers, gpu=True)


def _perturb(whole: Params, known: Known) -> Work:
    images, kinds = perturbed(whole)
    if not images:
        return Work("nothing: perturbed_images is 0 in this profile", {"images": 0}, disk=0)
    return Work(
        f"{images:,} images under {kinds} conditions",
        {"images": images, "conditions": kinds},
        disk=images * kinds * BYTES_PER_ROW,
        gpu=True,
    )


def parameters(weights: Path) -> int:
    """Return how many parameters a file of weights holds, without building their network."""
    import h5py

    count = 0

    def add(name: str, entry: Any) -> None:
        nonlocal count
        if isinstance(entry, h5py.Dataset) and "seed_generator" not in name:
            count += entry.size

    with h5py.File(weights) as file:
        file.visititems(add)
    return count


PLAN = Plan(
    check=CHECK,
    work={**common.WORK, "initialise": _initialise, "train": _train, "perturb": _perturb},
    setting=lambda whole: f"initial weights {whole.active.initial_weights}",
    basis=common.basis,
)

if __name__ == "__main__":
    PLAN.main()
