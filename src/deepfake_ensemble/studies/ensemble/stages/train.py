"""Train one detector by the protocol of table 3.3."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.section import Seed32
from deepfake_ensemble.models import architecture, detector, saved
from deepfake_ensemble.training.ensemble import curves
from deepfake_ensemble.training.ensemble.recipe import Decoded, ProfileTraining, Recipe
from deepfake_ensemble.training.shared.settings import Resume

if TYPE_CHECKING:
    import keras


def main(model: str) -> None:
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    from deepfake_ensemble.foundation.files import replacing_folder
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import Batches, BatchReader
    from deepfake_ensemble.reading.records import PackedImages
    from deepfake_ensemble.training.ensemble import fitting
    from deepfake_ensemble.training.ensemble.decoded import cache_decoded
    from deepfake_ensemble.training.shared.checkpoint import Checkpoint

    seed = params.read("seed", Seed32)
    recipe = params.read("training", Recipe)
    adaptation = params.read(f"{profile}.training", ProfileTraining)
    settings = params.read(f"models.{model}", detector.ModelParams)
    size = params.read(f"{profile}.image_size", ImageSize)
    others = params.read(f"{profile}.initial_weights_of", dict[str, architecture.InitialWeights])
    initial = others.get(model, params.read(f"{profile}.initial_weights", architecture.InitialWeights))
    interpolation = params.read("resizing.interpolation", Interpolation)
    registered = architecture.find(model)

    session.start(seed, adaptation.precision, adaptation.optimize_graph, adaptation.jit_compile)
    build = partial(_build, model, settings, initial, adaptation.batch_norm_momentum)
    built = build(size)
    weights = Path("models/initial") / f"{model}.weights.h5"
    saved.load_weights(built, weights)

    packed = Path("data/packed/internal/train"), Path("data/packed/internal/val")
    used = {
        "seed": seed,
        "training": recipe,
        f"{profile}.training": adaptation,
        f"{profile}.processor": processor,
        f"{profile}.image_size": size,
        f"{profile}.initial_weights": initial,
        f"models.{model}": settings,
        "resizing.interpolation": interpolation,
    }
    made_from = fingerprint(used, [*packed, weights])
    scratch = Path("models/checkpoints") / model
    save_every = 60 * params.read("resume", Resume).save_minutes
    checkpoint = Checkpoint(scratch, made_from, save_every)
    train: Batches
    val: Batches
    train, val = (
        BatchReader(PackedImages(split), size, interpolation, processor.readers) for split in packed
    )
    if adaptation.cache == "decoded":
        memory = 2**30 * params.read("decoded", Decoded).memory_gib
        train, val = cache_decoded(train, val, memory, scratch)
    # Imported after the fingerprint, which is of what decides a result.
    from deepfake_ensemble.tracking.following import Tracker, following

    trackers = params.read("tracking", list[Tracker])
    with following(trackers, study="ensemble", run=model, made_from=made_from) as follow:
        history = fitting.fit(
            built,
            train,
            val,
            recipe=adaptation.adapted(recipe),
            learning_rate=settings.learning_rate * adaptation.learning_rate_multiplier.of(registered),
            jit_compile=adaptation.jit_compile,
            seed=seed,
            checkpoint=checkpoint,
            follow=follow,
            warm_up=adaptation.cosine.warm_up if adaptation.cosine else None,
            weight_decay=adaptation.weight_decay,
            learner=build(adaptation.crop) if adaptation.crop else None,
        )
    with replacing_folder(Path("models/curves") / model) as folder:
        curves.write(folder, history)
    saved.save(built, Path("models") / f"{model}.keras", made_from)
    checkpoint.discard()


def _build(
    model: str,
    settings: detector.ModelParams,
    initial: architecture.InitialWeights,
    momentum: float | None,
    image_size: int,
) -> "keras.Model":
    """Build a detector for images of a size, frozen as it is to be trained."""
    registered = architecture.find(model)
    network: Any = params.check(f"models.{model}.network", settings.network, registered.network)
    built = detector.build(
        model, registered, image_size=image_size, input_scaling=settings.input_scaling, network=network
    )
    if initial == "imagenet" and registered.imagenet is not None:
        detector.freeze(built, getattr(network, "frozen_layers", 0))
    if momentum is not None:
        detector.set_batch_norm_momentum(built, momentum)
    return built


if __name__ == "__main__":
    command.run(main)
