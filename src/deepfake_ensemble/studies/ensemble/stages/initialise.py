"""Give one detector its initial weights: ImageNet's, or random ones from the seed."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.section import Seed32
from deepfake_ensemble.models import architecture, detector, saved


def main(model: str) -> None:
    profile = params.active_profile()
    command.pin_processor(profile)
    from deepfake_ensemble.foundation.section import ImageSize
    from deepfake_ensemble.models import session

    session.start(params.read("seed", Seed32))
    registered = architecture.find(model)
    initial = params.read(f"{profile}.initial_weights", architecture.InitialWeights)
    others = params.read(f"{profile}.initial_weights_of", dict[str, architecture.InitialWeights])
    built = detector.build(
        model,
        registered,
        image_size=params.read(f"{profile}.image_size", ImageSize),
        input_scaling="unit",  # weights do not depend on it
        network=params.read(f"models.{model}.network", registered.network),
        imagenet_weights=_imagenet_weights(model, registered, others.get(model, initial)),
    )
    saved.save_weights(built, Path("models/initial") / f"{model}.weights.h5")


def _imagenet_weights(
    model: str, registered: architecture.Architecture, initial: architecture.InitialWeights
) -> Path | None:
    """Return the file of ImageNet weights, fetched at most once; None where the start is random."""
    if initial == "random" or registered.imagenet is None:
        return None
    from deepfake_ensemble.fetching import published

    file = registered.imagenet
    return published.fetch(file.url, file.checksum, Path("models/imagenet") / model)


if __name__ == "__main__":
    command.run(main)
