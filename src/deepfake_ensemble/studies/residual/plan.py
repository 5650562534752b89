"""What the second study's pipeline does at the active profile, in numbers, and what would run now.

Run `python -m deepfake_ensemble.studies.residual.plan` in `residual/`. Nothing is computed and nothing
changed.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import rich.box
from rich.console import Console
from rich.table import Table

from deepfake_ensemble.fetching.checkpoints import CHECKPOINTS
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.studies.ensemble.plan import Known, Step, ask_dvc
from deepfake_ensemble.studies.residual import params as schema
from deepfake_ensemble.training.residual.fitting import plan as training_plan
from deepfake_ensemble.training.residual.settings import why_left_out

Work = tuple[str, dict[str, Any]]


def steps(whole: schema.Params, pipeline: Iterable[Known]) -> list[Step]:
    """Return the pipeline's steps in the order in which DVC runs them."""
    found = []
    for known in pipeline:
        stage, _, item = known.name.partition("@")
        text, numbers = _work(whole, stage, item, known.desc.rstrip("."))
        computes = stage in ("train", "finetune", "predict") and numbers.get("left_out") is None
        why = ", ".join(
            dict.fromkeys("code" if w.startswith("../src/") else w for w in known.why.split(", "))
        )
        found.append(
            Step(
                stage=stage,
                item=item,
                numbers=numbers,
                text=text,
                gpu=computes,
                disk=known.size,
                measured=known.runs == "no",
                runs=known.runs,
                why=why,
            )
        )
    return found


def _work(whole: schema.Params, stage: str, item: str, otherwise: str) -> Work:
    profile = whole.profiles[whole.profile]
    if stage in ("train", "finetune"):
        return _training(whole, profile, item)
    if stage == "predict":
        return _predicting(whole, profile, item)
    text, numbers = otherwise, dict[str, Any]()
    if stage == "split":
        counts = ", ".join(f"{split} {count:,}" for split, count in profile.counts.items())
        text, numbers = f"{counts}; half of them fake", {"images": dict(profile.counts)}
    if stage == "pack":
        text, numbers = f"{profile.counts[item]:,} images", {"images": profile.counts[item]}
    if stage == "fetch" and not any(
        run.model == item and _why(whole, profile, name) is None for name, run in whole.runs.imagenet.items()
    ):
        text = "nothing: no run of this profile starts from them"
    elif stage == "fetch":
        text = f"ImageNet weights from {'Hugging Face' if item in CHECKPOINTS else 'Keras'}"
    return text, numbers


def _predicting(whole: schema.Params, profile: schema.Profile, run: str) -> Work:
    reason = _why(whole, profile, run)
    if reason:
        return f"nothing: {reason}", {"left_out": reason}
    images = profile.counts["val"] + profile.counts["test"]
    return f"{images:,} images", {"images": images}


def _why(whole: schema.Params, profile: schema.Profile, run: str) -> str | None:
    return why_left_out(whole.runs.weights(run), profile.runs[run], profile.imagenet)


def _training(whole: schema.Params, profile: schema.Profile, name: str) -> Work:
    reason = _why(whole, profile, name)
    if reason:
        return f"nothing: {reason}", {"left_out": reason}
    run, extent, settings = whole.runs.all[name], profile.runs[name], profile.training
    recipe, weights = whole.recipes[run.recipe], whole.runs.weights(name)
    epochs = recipe.epochs if extent.epochs is None else extent.epochs
    planned = training_plan(
        profile.counts["train"],
        recipe,
        epochs=epochs,
        evaluate_every=settings.evaluate_every,
        checkpoint_every=settings.checkpoint_every,
        step=settings.step,
    )
    rate = recipe.learning_rate
    rate *= settings.learning_rate_multiplier.of(weights) if recipe.fine_tuning else 1
    evaluations = sum(map(planned.is_evaluated, range(1, planned.batches + 1)))
    numbers = {
        "model": run.model,
        "recipe": run.recipe,
        "weights": weights,
        "connections": run.connections,
        "images": profile.counts["train"],
        "image_size": profile.image_size,
        "stem": extent.stem,
        "epochs": epochs,
        "batches": planned.batches,
        "updates": planned.updates,
        "evaluations": evaluations,
        "learning_rate": rate,
    }
    plain = "" if run.connections == "kept" else f", residual connections {run.connections}"
    text = (
        f"{run.model}{plain}, {weights} weights, {numbers['images']:,} images of {profile.image_size} pixels"
        f" ({extent.stem} stem), {epochs} epochs: {planned.batches:,} batches, {planned.updates:,} updates,"
        f" {evaluations} evaluations, recipe {run.recipe}, learning rate {rate:.3g}"
    )
    return text, numbers


def render(whole: schema.Params, found: list[Step], console: Console) -> None:
    """Print the plan."""
    profile = whole.profiles[whole.profile]
    plain = not console.is_terminal
    table = Table(box=None if plain else rich.box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "item", "what it does", "GPU", "runs"):
        table.add_column(name, overflow="fold")
    for step in found:
        runs = f"yes: {step.why}" if step.why else step.runs
        table.add_row(step.stage, step.item, step.text, "if any" if step.gpu else "", runs)
    console.print(
        f"profile {whole.profile}: source {profile.source}, images of {profile.image_size} pixels",
        highlight=False,
    )
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)
    states = [step.runs for step in found]
    console.print(f"runs: {states.count('yes')} of {len(states)}.", highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make residual-plan", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    arguments = parser.parse_args()
    whole = schema.CHECK.read()
    found = steps(whole, ask_dvc())
    if arguments.json:
        print(json.dumps({"profile": whole.profile, "steps": [asdict(step) for step in found]}, indent=2))
    else:
        console = Console()
        render(whole, found, console if console.is_terminal else Console(width=400))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
