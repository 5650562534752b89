"""Predict the validation and the test split with one trained network."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.inference import left_out as results_folder
from deepfake_ensemble.models import saved

SPLITS = ("val", "test")


def main(run: str) -> None:
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    trained, folder = Path("models") / run, Path("predictions") / run
    reason = results_folder.why_empty(trained)
    if reason:
        results_folder.leave_out(folder, reason)
        return
    from deepfake_ensemble.foundation.files import read_json, replacing_folder, write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.inference.predictor import Predictor, note_scored, write
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)
    batch_size = params.read(f"{profile}.prediction_batch_size", Annotated[int, Ge(1)])
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    predictor = Predictor(saved.load(trained / "model.keras"))
    used = {
        f"{profile}.image_size": size,
        f"{profile}.processor": processor,
        f"{profile}.prediction_batch_size": batch_size,
        "resizing.interpolation": interpolation,
    }
    packed = {split: Path("data/packed") / split for split in SPLITS}
    account = fingerprint(used, [trained, *packed.values()])
    with replacing_folder(folder) as partial:
        for split, where in packed.items():
            images = PackedImages(where)
            reader = BatchReader(images, size, interpolation, processor.readers)
            with count_progress(f"predict {split} with {run}", len(images)) as advance:
                p_fake = predictor.predict(reader.in_order(batch_size), advance)
            write(partial / f"{split}.csv", images.paths, images.labels, p_fake)
        write_json(partial / "fingerprint.json", account)
    note_scored(profile.rpartition(".")[2], run, read_json(trained / "fingerprint.json")["digest"])


if __name__ == "__main__":
    command.run(main)
