"""Predict with one trained network every split that is not trained on."""

from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.section import INTERNAL, Interpolation
from deepfake_ensemble.inference import left_out
from deepfake_ensemble.models import saved


def main(name: str) -> None:
    """Write `predictions/NAME`: a table of each split, and the fingerprint of the model that made them."""
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    folder, run = Path("predictions") / name, Path("models/trained") / name
    # The first study keeps a model as a file, the second a run as a folder, which may say why it is empty.
    model = run / "model.keras" if run.is_dir() else Path("models") / f"{name}.keras"
    if run.is_dir() and (reason := left_out.reason_left_out(run)):
        left_out.leave_out(folder, reason)
        return
    from deepfake_ensemble.foundation.files import replacing_folder, write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.inference.predictor import Predictor, record_test_evaluation, write
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    interpolation = params.read("resizing.interpolation", Interpolation)
    batch_size = params.read(f"{profile}.prediction_batch_size", Annotated[int, Ge(1)])
    packed = {split: Path("data/packed") / INTERNAL / split for split in ("val", "test")}
    for data_set in params.read("data_sets", dict[str, Any]):
        if data_set != INTERNAL:
            packed[data_set] = Path("data/packed") / data_set
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    trained = saved.load(model)
    predictor = Predictor(trained)
    used = {
        f"{profile}.processor": processor,
        f"{profile}.prediction_batch_size": batch_size,
        "resizing.interpolation": interpolation,
    }
    with replacing_folder(folder) as partial:
        for split, shards in packed.items():
            images = PackedImages(shards)
            reader = BatchReader(images, trained.input_shape[1], interpolation, processor.readers)
            with count_progress(f"predict {split} with {name}", len(images)) as advance:
                p_fake = predictor.predict(reader.in_order(batch_size), advance)
            write(partial / f"{split}.csv", images.paths, images.labels, p_fake)
        account = fingerprint(used, [model, *packed.values()])
        write_json(partial / "fingerprint.json", account)
    record_test_evaluation(profile.rpartition(".")[2], name, account["data"][model.as_posix()])


if __name__ == "__main__":
    command.run(main)
