"""Measure gradients before the first update, with residual connections and without."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.residual import gradients
from deepfake_ensemble.training.residual import network, settings


def main() -> None:
    """Write those of all ResNets that the profile trains without connections to `reports/gradients.json`."""
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    from deepfake_ensemble.foundation.files import write_json
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation, Seed32
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.records import PackedImages
    from deepfake_ensemble.training.residual.augmentation import AugmentedReader

    seed = params.read("seed", Seed32)
    runs = params.read("runs", settings.Runs)
    models = params.read("models", dict[str, settings.Model])
    recipes = params.read("recipes", dict[str, settings.Recipe])
    extents = params.read(f"{profile}.runs", dict[str, settings.ProfileRun])
    imagenet = params.read(f"{profile}.imagenet", bool)
    profile_size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)
    images = PackedImages(Path("data/packed/internal/train"))
    batch_size = 0
    found: dict[str, gradients.Norms] = {}
    without: dict[str, gradients.Norms] = {}
    for name, run in runs.all.items():
        weights, extent = runs.weights(name), extents[name]
        if run.connections != "removed" or settings.why_left_out(weights, extent, imagenet):
            continue
        size, recipe = extent.image_size or profile_size, recipes[run.recipe]
        session.start(seed)
        published = None
        if weights == "imagenet":
            (published,) = (Path("models/published") / run.model).glob("*.*")
        settings_of = models[run.model]
        own: Any = params.check(
            f"models.{run.model}.network", settings_of.network, architecture.find(run.model).network
        )
        whole = network.build(
            run.model, settings_of, own, image_size=size, stem=extent.stem, published=published
        )
        reader = AugmentedReader(images, size, interpolation, recipe, processor.readers)
        batch = next(reader.batches(recipe.batch_size, seed, 0, 0))
        batch_size = len(batch[0])
        found[name] = gradients.norms(whole, batch)
        without[name] = gradients.norms(network.with_connections(whole, "removed"), batch)
    write_json(Path("reports/gradients.json"), gradients.Gradients(batch_size, found, without))


if __name__ == "__main__":
    command.run(main)
