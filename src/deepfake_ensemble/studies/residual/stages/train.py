"""Train one network of the second study, with its residual connections or without."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.section import Seed32
from deepfake_ensemble.inference import left_out as results_folder
from deepfake_ensemble.models import architecture, detector, saved
from deepfake_ensemble.models.architecture import InitialWeights
from deepfake_ensemble.training.residual import curves, network, schedule, settings
from deepfake_ensemble.training.shared.settings import Resume


def main(weights: InitialWeights, run: str) -> None:
    profile = params.active_profile()
    planned = params.read(f"runs.{weights}.{run}", settings.Run)
    profile_run = params.read(f"{profile}.runs.{run}", settings.ProfileRun)
    imagenet = weights == "imagenet" and params.read(f"{profile}.imagenet", bool)
    reason = settings.why_left_out(weights, profile_run, imagenet)
    if reason:
        results_folder.leave_out(Path("models/trained") / run, reason)
    else:
        train(weights, run, profile, planned, profile_run)


def train(
    weights: InitialWeights, run: str, profile: str, planned: settings.Run, profile_run: settings.ProfileRun
) -> None:
    processor = command.pin_processor(profile)
    from deepfake_ensemble.foundation.files import replacing_folder, write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages
    from deepfake_ensemble.training.residual import fitting
    from deepfake_ensemble.training.residual.augmentation import AugmentedReader
    from deepfake_ensemble.training.shared.checkpoint import Checkpoint

    seed = params.read("seed", Seed32)
    recipe = params.read(f"recipes.{planned.recipe}", settings.Recipe)
    adaptation = params.read(f"{profile}.training", settings.ProfileTraining)
    model = params.read(f"models.{planned.model}", settings.Model)
    profile_size = params.read(f"{profile}.image_size", ImageSize)
    size = profile_run.image_size or profile_size
    interpolation = params.read("resizing.interpolation", Interpolation)
    registered = architecture.find(planned.model)
    own: Any = params.check(f"models.{planned.model}.network", model.network, registered.network)

    session.start(seed, adaptation.precision, jit_compile=adaptation.jit_compile)
    data = [Path("data/packed/internal/train"), Path("data/packed/internal/val")]
    published = None
    if weights == "imagenet":
        data.append(Path("models/published") / planned.model)
        (published,) = data[-1].glob("*.*")
    built = network.build(
        planned.model, model, own, image_size=size, stem=profile_run.stem, published=published
    )
    if weights == "imagenet":
        detector.freeze(built, getattr(own, "frozen_layers", 0))
    if adaptation.batch_norm_momentum is not None and recipe.fine_tuning:
        detector.set_batch_norm_momentum(built, adaptation.batch_norm_momentum)
    built = network.with_connections(built, planned.connections)

    used = {
        "seed": seed,
        f"runs.{weights}.{run}": planned,
        f"recipes.{planned.recipe}": recipe,
        f"models.{planned.model}": model,
        "resizing.interpolation": interpolation,
        f"{profile}.runs.{run}": profile_run,
        f"{profile}.training": adaptation,
        f"{profile}.processor": processor,
        f"{profile}.image_size": profile_size,
    }
    made_from = fingerprint(used, data)
    training, val = (PackedImages(packed) for packed in data[:2])
    plan = schedule.plan(
        len(training),
        recipe,
        epochs=recipe.epochs if profile_run.epochs is None else profile_run.epochs,
        record_every=adaptation.record_every,
        evaluate_every=adaptation.evaluate_every,
        checkpoint_every=adaptation.checkpoint_every,
        step=adaptation.step,
    )
    save_every = 60 * params.read("resume", Resume).save_minutes
    checkpoint = Checkpoint(Path("models/checkpoints") / run, made_from, save_every)
    # Imported after the fingerprint, which is of what decides a result.
    from deepfake_ensemble.tracking.following import Tracker, following

    trackers = params.read("tracking", list[Tracker])
    with following(trackers, study="residual", run=run, made_from=made_from) as follow:
        history = fitting.fit(
            built,
            AugmentedReader(training, size, interpolation, recipe, processor.readers),
            BatchReader(val, size, interpolation, processor.readers),
            recipe=recipe,
            learning_rate=recipe.learning_rate
            * (adaptation.learning_rate_multiplier.of(weights) if recipe.fine_tuning else 1),
            plan=plan,
            jit_compile=adaptation.jit_compile,
            seed=seed,
            checkpoint=checkpoint,
            follow=follow,
        )
    minutes = round(checkpoint.seconds / 60, 2)
    built = network.with_test_time_augmentation(built, recipe.mean_over)
    with replacing_folder(Path("models/trained") / run) as partial:
        curves.write(partial, history, best=plan.best(history))
        write_json(partial / "fingerprint.json", made_from)
        saved.save(built, partial / "model.keras", made_from)
    measured = {"digest": made_from["digest"], "minutes": minutes, "training_images": len(training)}
    write_json(settings.MEASURED / f"{run}.json", measured)
    checkpoint.discard()


if __name__ == "__main__":
    command.run(main)
