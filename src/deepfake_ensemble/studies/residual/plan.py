"""What the second study's pipeline does at its active profile, and what would run: `make residual-plan`."""

from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.common import plan as common
from deepfake_ensemble.studies.common.planning import Known, Plan, Work
from deepfake_ensemble.studies.residual.params import CHECK, Params
from deepfake_ensemble.training.residual.schedule import plan as training_plan
from deepfake_ensemble.training.residual.settings import why_left_out


def _why_left_out(whole: Params, run: str) -> str | None:
    profile = whole.active
    return why_left_out(whole.runs.weights(run), profile.runs[run], profile.imagenet)


def _nothing(reason: str) -> Work:
    return Work(f"nothing: {reason}", {"left_out": reason})


def _fetch(whole: Params, known: Known) -> Work:
    starting = [name for name, run in whole.runs.imagenet.items() if run.model == known.item]
    if all(_why_left_out(whole, name) for name in starting):
        return Work("nothing: no run of this profile starts from them")
    published = architecture.find(known.item).imagenet
    return Work(f"ImageNet weights, {published.name}" if published else "nothing: there are none")


def _train(whole: Params, known: Known) -> Work:
    if reason := _why_left_out(whole, known.item):
        return _nothing(reason)
    profile, run = whole.active, whole.runs.all[known.item]
    settings, extent = profile.training, profile.runs[known.item]
    recipe, weights = whole.recipes[run.recipe], whole.runs.weights(known.item)
    epochs = recipe.epochs if extent.epochs is None else extent.epochs
    planned = training_plan(
        profile.counts["train"],
        recipe,
        epochs=epochs,
        record_every=settings.record_every,
        evaluate_every=settings.evaluate_every,
        checkpoint_every=settings.checkpoint_every,
        step=settings.step,
    )
    rate = recipe.learning_rate
    rate *= settings.learning_rate_multiplier.of(weights) if recipe.fine_tuning else 1
    size = extent.image_size or profile.image_size
    numbers = {
        "model": run.model,
        "recipe": run.recipe,
        "weights": weights,
        "connections": run.connections,
        "images": profile.counts["train"],
        "image_size": size,
        "stem": extent.stem,
        "epochs": epochs,
        "batches": planned.batches,
        "updates": planned.updates,
        "evaluations": planned.evaluations,
        "learning_rate": rate,
    }
    plain = "" if run.connections == "kept" else f", residual connections {run.connections}"
    text = (
        f"{run.model}{plain}, {weights} weights, {numbers['images']:,} images of {size} pixels"
        f" ({extent.stem} stem), {epochs} epochs: {planned.batches:,} batches, {planned.updates:,} updates,"
        f" {planned.evaluations} evaluations, recipe {run.recipe}, learning rate {rate:.3g}"
    )
    return Work(text, numbers, gpu=True)


def _predict(whole: Params, known: Known) -> Work:
    reason = _why_left_out(whole, known.item)
    return _nothing(reason) if reason else common.predict(whole, known)


PLAN = Plan(
    check=CHECK,
    work={
        **common.WORK,
        "fetch": _fetch,
        **dict.fromkeys(("train", "finetune"), _train),
        **dict.fromkeys(("predict", "predict_finetuned"), _predict),
    },
    setting=lambda whole: f"runs from {'random and ImageNet' if whole.active.imagenet else 'random'} weights",
    basis=common.basis,
)

if __name__ == "__main__":
    PLAN.main()
