"""What the ensemble study's pipeline does at the active profile, and what would run: `make plan`."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.models import architecture
from deepfake_ensemble.perturbing.conditions import conditions
from deepfake_ensemble.studies.common import plan as common
from deepfake_ensemble.studies.common.plan import BYTES_PER_ROW, ceil
from deepfake_ensemble.studies.common.planning import Known, Plan, Work
from deepfake_ensemble.studies.ensemble.params import CHECK, Params


def _initialise(whole: Params, known: Known) -> Work:
    work = Work(f"random weights, seed {whole.seed}", {"weights": "random", "seed": whole.seed})
    published = architecture.find(known.item).imagenet
    if whole.active.initial_weights == "imagenet" and published is not None:
        work = Work(f"ImageNet weights, {published.name}", {"weights": "imagenet", "file": published.name})
    if known.runs != "no":
        return work
    count = parameters(Path("models/initial") / f"{known.item}.weights.h5")
    return Work(f"{work.text}: {count:,} parameters", work.numbers | {"parameters": count})


def _train(whole: Params, known: Known) -> Work:
    profile, registered = whole.active, architecture.find(known.item)
    recipe = profile.training.shortened(whole.training)
    size, images, validated = profile.image_size, profile.counts["train"], profile.counts["val"]
    steps, validation_steps = ceil(images, recipe.batch_size), ceil(validated, recipe.validation_batch_size)
    rate = whole.models[known.item].learning_rate * profile.training.learning_rate_multiplier.of(registered)
    pretrained = profile.initial_weights == "imagenet" and registered.imagenet is not None
    frozen = whole.models[known.item].network.get("frozen_layers", 0) if pretrained else 0
    parts = [
        f"{images:,} images of {size}×{size}: {steps:,} steps of {recipe.batch_size}",
        f"at most {recipe.epochs} epochs",
        f"validates {validation_steps:,} steps of {recipe.validation_batch_size}",
        f"learning rate {rate:.3g}",
        *([f"first {frozen} layers frozen"] if frozen else []),
    ]
    numbers = {
        "images": images,
        "image_size": size,
        "steps_per_epoch": steps,
        "validation_steps": validation_steps,
        "epochs_at_most": recipe.epochs,
        "learning_rate": rate,
        "frozen_layers": frozen,
        "precision": profile.training.precision,
    }
    return Work(", ".join(parts), numbers, gpu=True)


def _perturb(whole: Params, known: Known) -> Work:
    images = min(whole.active.perturbed_images, whole.active.counts["test"])
    kinds = len(conditions(whole.robustness))
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
