"""F1 on validation against minutes of training, for a recipe of the second study: a test image is never read.

    cd residual; python ../benchmarks/fast_recipe.py fast_60 --set recipes.fast_60.epochs=10

It trains one run of params.yaml on data/packed/internal/train (`dvc repro pack` with profile cpu makes it)
and prints a line for each evaluation: minutes of training so far, without the evaluations, and the scores
on data/packed/internal/val. The model is not kept; `--keep` keeps the scores, for docs/residual.md.
`--batches` shrinks the recipe, schedule and all, for a quick look. A run that the profile leaves out needs
epochs: `--set profiles.cpu.runs.RUN.epochs=1`. One that starts from ImageNet weights needs those: `dvc
repro fetch@MODEL` with a profile that has `imagenet: true` and gives the run epochs, as profile laptop does
for EfficientNet-Lite0.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from deepfake_ensemble.foundation import params, processor
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.inference import left_out
from deepfake_ensemble.models import architecture
from deepfake_ensemble.models.architecture import InitialWeights
from deepfake_ensemble.training.residual import settings
from deepfake_ensemble.training.shared.schedule import learning_rate
from deepfake_ensemble.workflow.machine import commit
from harness import FOLDER, keep

if TYPE_CHECKING:  # NumPy must not be imported before the processor is pinned
    from deepfake_ensemble.evaluation.metrics import Metrics
    from deepfake_ensemble.scoring.scores import Confusion

DOCS = ".." / FOLDER / "residual"
SCORES = ("f1", "precision", "recall", "accuracy", "log_loss")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    runs = params.load()["runs"]
    named = [run for of_weights in runs.values() for run in of_weights]
    parser.add_argument("run", choices=named, metavar="run", help="a run of params.yaml")
    parser.add_argument("--points", type=int, default=10, help="evaluations in all (default 10)")
    parser.add_argument("--batches", type=int, help="shrink the whole schedule to so many batches")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another value")
    parser.add_argument("--keep", metavar="NAME", help=f"write {DOCS}/validation-NAME.json")
    return parser.parse_args()


def changed(whole: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """Return params.yaml's content with the values that were asked for."""
    for change in changes:
        path, _, value = change.partition("=")
        *parents, key = path.split(".")
        place = whole
        for parent in parents:
            place = place[parent]
        place[key] = yaml.safe_load(value)
    return whole


def shown(**figures: float) -> dict[str, float]:
    """Print an evaluation and return it, rounded."""
    rounded = {name: round(figure, 4) for name, figure in figures.items()}
    print(",".join(map(str, rounded.values())), flush=True)
    return rounded


def scored(found: "Metrics") -> dict[str, float]:
    """Return the scores that are kept of an evaluation."""
    return {f"val_{score}": getattr(found, score) for score in SCORES}


def with_intervals(counted: "Confusion") -> dict[str, Any]:
    """Return F1 and accuracy with their intervals over the validation images."""
    from deepfake_ensemble.comparison import intervals

    right = counted.tp + counted.tn
    of_accuracy = intervals.wilson(right, right + counted.fp + counted.fn)
    return {"f1": asdict(intervals.f1(counted)), "accuracy": asdict(of_accuracy)}


@dataclass(frozen=True)
class Settled:
    """What params.yaml settles of a run: what it is, what it starts from, and how it is trained."""

    run: settings.Run
    weights: InitialWeights
    recipe: settings.Recipe
    extent: settings.ProfileRun
    training: settings.ProfileTraining


def told(asked: argparse.Namespace, whole: Mapping[str, Any], of: Settled) -> dict[str, Any]:
    """Return what was trained: params.yaml may differ from the commit's, so its recipe is told with it."""
    return {
        "commit": commit(apart_from=("params.yaml", "dvc.lock", "reports"), digits=12),
        "run": asked.run,
        "profile": whole["profile"],
        "changed": asked.set,
        "seed": whole["seed"],
        "recipe": asdict(of.recipe),
        "extent": asdict(of.extent),
    }


def settled_for(name: str, whole: dict[str, Any], profile: dict[str, Any]) -> Settled:
    """Return what is settled of the run of this name."""
    runs = params.check("runs", whole["runs"], settings.Runs)
    run = runs.all[name]
    return Settled(
        run,
        runs.weights(name),
        params.check("recipe", whole["recipes"][run.recipe], settings.Recipe),
        params.check("extent", profile["runs"][name], settings.ProfileRun),
        params.check("training", profile["training"], settings.ProfileTraining),
    )


def built_as(of: Settled, section: Any, size: int) -> Any:
    """Return the network of a run as its stage builds it, from published weights or from random ones.

    Raises:
        UserError: if published weights are not there.
    """
    from deepfake_ensemble.models import detector
    from deepfake_ensemble.training.residual import network

    name, momentum = of.run.model, of.training.batch_norm_momentum
    published = fetched(name) if of.weights == "imagenet" else None
    model = params.check("model", section, settings.Model)
    own: Any = params.check("network", model.network, architecture.find(name).network)
    built = network.build(name, model, own, image_size=size, stem=of.extent.stem, published=published)
    if published:
        detector.freeze(built, getattr(own, "frozen_layers", 0))
    if momentum is not None and of.recipe.fine_tuning:
        detector.set_batch_norm_momentum(built, momentum)
    return network.with_connections(built, of.run.connections)


def fetched(model: str) -> Path:
    """Return the file of a network's published weights.

    Raises:
        UserError: if it is not there.
    """
    folder = Path("models/published") / model
    reason = left_out.reason_left_out(folder)
    if reason:
        raise UserError(
            f"{folder}: {reason}; set imagenet: true and the run's epochs in the active profile of"
            f" params.yaml, and `dvc repro fetch@{model}`"
        )
    (file,) = folder.glob("*.*")
    return file


def main() -> None:
    asked = arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    whole = changed(params.load(), asked.set)
    profile = whole["profiles"][whole["profile"]]
    pinned = params.check("processor", profile["processor"], processor.Processor)
    processor.pin(pinned)

    from deepfake_ensemble.evaluation.metrics import metrics
    from deepfake_ensemble.inference.predictor import Predictor
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages
    from deepfake_ensemble.scoring.scores import confusion
    from deepfake_ensemble.training.residual import fitting, network, schedule
    from deepfake_ensemble.training.residual.augmentation import AugmentedReader

    of = settled_for(asked.run, whole, profile)
    recipe = of.recipe
    size, interpolation = of.extent.image_size or profile["image_size"], whole["resizing"]["interpolation"]
    session.start(whole["seed"], of.training.precision)
    built = built_as(of, whole["models"][of.run.model], size)
    multiplier = of.training.learning_rate_multiplier.of(of.weights) if recipe.fine_tuning else 1
    train, val = (PackedImages(Path("data/packed/internal") / split) for split in ("train", "val"))
    epochs = recipe.epochs if of.extent.epochs is None else of.extent.epochs
    plan = schedule.plan(
        len(train), recipe, epochs=epochs, record_every=1, evaluate_every=1, checkpoint_every=1, step="batch"
    )
    start = time.monotonic()
    reader = AugmentedReader(train, size, interpolation, recipe, pinned.readers)
    validation = BatchReader(val, size, interpolation, pinned.readers)
    predictor = Predictor(network.with_test_time_augmentation(built, recipe.mean_over))
    step = fitting.Step(built, recipe, jit_compile=False)
    batches = reader.batches(recipe.batch_size, whole["seed"], 0, 0)
    last = min(asked.batches or plan.batches, plan.batches)
    if not last:
        sys.exit(f"{asked.run}: this profile leaves it out: --set its epochs under profiles")
    every = -(-last // asked.points)
    print(f"{asked.run}: {built.count_params():,} parameters, {last} of {plan.batches} batches")
    print(",".join(("minutes", "batch", "loss", *(f"val_{score}" for score in SCORES))))
    trained, points = 0.0, []
    for batch in range(last):
        rate = learning_rate(
            batch // recipe.accumulation,
            last // recipe.accumulation,
            recipe.learning_rate * multiplier,
            recipe.warm_up,
            recipe.schedule,
        )
        step.train_on_batch(next(batches), rate)
        if (batch + 1) % every == 0 or batch + 1 == last:
            loss = step.mean_loss()  # waits for the step
            trained += time.monotonic() - start
            p_fake = predictor.predict(validation.in_order(250), lambda _: None).astype(float)
            counted = confusion(val.labels, p_fake)
            found = metrics(val.labels, p_fake)
            points.append(shown(minutes=trained / 60, batch=batch + 1, loss=loss, **scored(found)))
            start = time.monotonic()
    if asked.keep:
        file = DOCS / f"validation-{asked.keep}.json"
        keep(file, {**told(asked, whole, of), "n": len(val), **with_intervals(counted), "points": points})


if __name__ == "__main__":
    with exiting():
        main()
