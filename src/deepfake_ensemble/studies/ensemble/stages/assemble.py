"""Join the detectors and their weights into one model, and check it against the stored predictions."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import saved

CHECKED_IMAGES = 64
TOLERANCE = 1e-5


def main() -> None:
    """Write `models/ensemble.keras`."""
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    import numpy as np

    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.weighting import combine
    from deepfake_ensemble.foundation.errors import UserError
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.section import Interpolation
    from deepfake_ensemble.inference.predictor import Predictor
    from deepfake_ensemble.models import session
    from deepfake_ensemble.portable.assembling import assemble
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    interpolation = params.read("resizing.interpolation", Interpolation)
    weights_path, packed = Path("reports/ensemble/weights.json"), Path("data/packed/internal/test")
    weights = weights_file.read(weights_path)
    files = {model: Path("models") / f"{model}.keras" for model in weights}
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    ensemble = assemble({model: saved.load(file) for model, file in files.items()}, weights)

    images = PackedImages(packed)
    test = read_split(weights, "test", images.paths)
    reader = BatchReader(images, ensemble.input_shape[1], interpolation, processor.readers)
    # As many from the split's end as from its start, because it is sorted and so begins with one class.
    positions = np.unique(np.linspace(0, len(reader) - 1, CHECKED_IMAGES).astype(np.int64))
    # As the members' predictions were made: operation by operation, rounding differs by more than TOLERANCE.
    p_fake = Predictor(ensemble).predict([reader.read(positions)], advance=lambda _: None)
    difference = float(np.abs(p_fake - combine(weights, test.p_fake)[positions]).max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"models/ensemble.keras: differs from the members' predictions by {difference:.1e} on"
            f" {len(positions)} test images; run `dvc repro -sf predict`"
        )
    print(f"on {len(positions)} test images it is within {difference:.1e} of its members' weighted sum")
    used = {f"{profile}.processor": processor, "resizing.interpolation": interpolation}
    account = fingerprint(used, [weights_path, *files.values()])
    saved.save(ensemble, Path("models/ensemble.keras"), account)


if __name__ == "__main__":
    command.run(main)
