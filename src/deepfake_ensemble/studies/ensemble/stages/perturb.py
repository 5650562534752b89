"""Predict with one trained detector perturbed copies of images of the test split."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.foundation import command, params


def main(model: str) -> None:
    """Write `predictions_perturbed/MODEL`: a table of each condition."""
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    import numpy as np

    from deepfake_ensemble.foundation.files import replacing_folder, write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.inference.predictor import Predictor, write
    from deepfake_ensemble.models import saved, session
    from deepfake_ensemble.perturbing.conditions import Robustness, conditions
    from deepfake_ensemble.perturbing.perturbations import PerturbedReader, balanced_subset, perturbation
    from deepfake_ensemble.reading.records import PackedImages

    settings = params.read("robustness", Robustness)
    count = params.read(f"{profile}.perturbed_images", Annotated[int, Ge(0)])
    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)
    batch_size = params.read(f"{profile}.prediction_batch_size", Annotated[int, Ge(1)])
    file, packed = Path("models") / f"{model}.keras", Path("data/packed/internal/test")
    images = PackedImages(packed)
    positions = balanced_subset(images.labels, count)
    paths = [images.paths[position] for position in positions]
    with replacing_folder(Path("predictions_perturbed") / model) as folder:
        if count:
            session.start(seed=0)  # nothing is random here; the operations are made repeatable
            predictor = Predictor(saved.load(file))
            for condition in conditions(settings):
                reader = PerturbedReader(
                    images,
                    size,
                    interpolation,
                    processor.readers,
                    perturbation(condition, settings, interpolation),
                )
                chunks = np.split(positions, range(batch_size, len(positions), batch_size))
                with count_progress(f"predict {condition.name} with {model}", len(positions)) as advance:
                    p_fake = predictor.predict(map(reader.read, chunks), advance)
                write(folder / f"{condition.name}.csv", paths, images.labels[positions], p_fake)
        used = {
            "robustness": settings,
            f"{profile}.perturbed_images": count,
            f"{profile}.image_size": size,
            f"{profile}.processor": processor,
            f"{profile}.prediction_batch_size": batch_size,
            "resizing.interpolation": interpolation,
        }
        write_json(folder / "fingerprint.json", fingerprint(used, [file, packed]))


if __name__ == "__main__":
    command.run(main)
