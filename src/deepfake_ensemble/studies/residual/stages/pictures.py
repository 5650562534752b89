"""Show what five layers of the best network see, and test images that it gets wrong."""

from pathlib import Path

from deepfake_ensemble.explanation.settings import Pictures
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import saved
from deepfake_ensemble.training.residual.settings import Runs


def main() -> None:
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    import numpy as np

    from deepfake_ensemble.evaluation import model_choice
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.settings import EvaluationParams
    from deepfake_ensemble.explanation import pictures_page
    from deepfake_ensemble.explanation.feature_maps import feature_maps
    from deepfake_ensemble.foundation.errors import UserError
    from deepfake_ensemble.foundation.files import replacing_folder
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.inference import left_out as results_folder
    from deepfake_ensemble.models import session
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.pages.titles import run_title
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    settings = params.read("pictures", Pictures)
    threshold = params.read("evaluation", EvaluationParams).threshold
    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)
    predictions = {run: Path("predictions") / run for run in params.read("runs", Runs).all}
    done = [run for run, folder in predictions.items() if results_folder.why_empty(folder) is None]
    if not done:
        raise UserError("runs: this profile does none, so there is nothing to show")
    val = read_split(done, "val")
    best = model_choice.best(val.labels, val.p_fake, threshold)

    images = PackedImages(Path("data/packed/internal/test"))
    test = read_split([best], "test", images.paths)
    reader = BatchReader(images, size, interpolation, processor.readers)
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    shown = int(np.flatnonzero(test.labels == 1)[0])
    pixels = reader.read(np.array([shown]))[0][0]
    detector = saved.load(Path("models/trained") / best / "model.keras")
    mistakes = []
    for label, kind in ((0, "Real images called fake"), (1, "Fake images called real")):
        wrong = np.flatnonzero((test.labels == label) & ((test.p_fake[best] >= threshold) != label))
        sure = wrong[np.argsort((1 - 2 * label) * -test.p_fake[best][wrong], kind="stable")]
        found = reader.read(sure[: settings.misclassified])[0]
        surest = [
            pictures_page.Picture(test.paths[at], float(test.p_fake[best][at]), image)
            for at, image in zip(sure[: settings.misclassified].tolist(), found, strict=True)
        ]
        mistakes.append(pictures_page.Mistakes(kind, len(wrong), surest))
    picture = pictures_page.Picture(test.paths[shown], float(test.p_fake[best][shown]), pixels)
    maps = feature_maps(detector, pixels, settings.channels)
    print(f"shown: {run_title(best)}, the best by F1 on validation")
    with replacing_folder(Path("reports/pictures")) as folder:
        write(folder / "index.html", pictures_page.render(best, picture, maps, mistakes))


if __name__ == "__main__":
    command.run(main)
