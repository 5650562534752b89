"""Predict with one trained detector every split that is not trained on."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import saved


def main(model: str) -> None:
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    from deepfake_ensemble.foundation.files import write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.inference.predictor import Predictor, write
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)
    batch_size = params.read(f"{profile}.prediction_batch_size", Annotated[int, Ge(1)])
    outside = [name for name in params.read("data_sets", dict[str, DataSet]) if name != "internal"]
    splits = ["val", "test", *outside]
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    file = Path("models") / f"{model}.keras"
    predictor = Predictor(saved.load(file))
    folder = Path("predictions") / model
    for split in splits:
        images = PackedImages(Path("data/packed") / split)
        reader = BatchReader(images, size, interpolation, processor.readers)
        with count_progress(f"predict {split} with {model}", len(images)) as advance:
            p_fake = predictor.predict(reader.in_order(batch_size), advance)
        write(folder / f"{split}.csv", images.paths, images.labels, p_fake)
    used = {
        f"{profile}.image_size": size,
        f"{profile}.processor": processor,
        f"{profile}.prediction_batch_size": batch_size,
        "resizing.interpolation": interpolation,
    }
    data = [file, *(Path("data/packed") / split for split in splits)]
    write_json(folder / "fingerprint.json", fingerprint(used, data))


if __name__ == "__main__":
    command.run(main)
