"""Show what layers of the best network and of ResNet152 see, and test images that they get wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.explanation.settings import Pictures
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import saved
from deepfake_ensemble.studies.residual.examined_runs import examined_runs
from deepfake_ensemble.training.residual.settings import Recipe, Runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepfake_ensemble.explanation.pictures_page import Samples
    from deepfake_ensemble.reading.batches import BatchReader


def main() -> None:
    """Write the page of feature maps and mistakes, `reports/pictures`."""
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
    from deepfake_ensemble.foundation.section import Interpolation
    from deepfake_ensemble.inference import left_out as results_folder
    from deepfake_ensemble.models import session
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.pages.titles import run_title
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    settings = params.read("pictures", Pictures)
    threshold = params.read("evaluation", EvaluationParams).threshold
    interpolation = params.read("resizing.interpolation", Interpolation)
    predictions = {run: Path("predictions") / run for run in params.read("runs", Runs).all}
    done = [run for run, folder in predictions.items() if results_folder.reason_left_out(folder) is None]
    if not done:
        raise UserError("runs: this profile does none, so there is nothing to show")
    val = read_split(done, "val")
    runs = examined_runs(model_choice.best(val.labels, val.p_fake, threshold), done)

    images = PackedImages(Path("data/packed/internal/test"))
    test = read_split(runs, "test", images.paths)
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    seen = []
    for run in runs:
        p_fake, network = test.p_fake[run], saved.load(Path("models/trained") / run / "model.keras")
        reader = BatchReader(images, network.input_shape[1], interpolation, processor.readers)

        def picture(at: int, pixels: np.ndarray, p_fake: np.ndarray = p_fake) -> pictures_page.Picture:
            return pictures_page.Picture(test.paths[at], float(p_fake[at]), pixels)

        mistakes = []
        for label, kind in ((0, "Real images called fake"), (1, "Fake images called real")):
            wrong = np.flatnonzero((test.labels == label) & ((p_fake >= threshold) != label))
            sure = wrong[np.argsort((1 - 2 * label) * -p_fake[wrong], kind="stable")]
            surest = sure[: settings.misclassified]
            found = map(picture, surest.tolist(), reader.read(surest)[0])
            mistakes.append(pictures_page.Mistakes(kind, len(wrong), list(found)))
        first_fake = int(np.flatnonzero(test.labels == 1)[0])
        pixels = reader.read(np.array([first_fake]))[0][0]
        maps = feature_maps(network, pixels, settings.channels)
        seen.append(pictures_page.Seen(run, picture(first_fake, pixels), maps, mistakes))
    samples = _samples(test.paths, test.labels, reader, settings.misclassified, processor.readers)
    print(f"shown: {'; '.join(map(run_title, runs))}")
    with replacing_folder(Path("reports/pictures")) as folder:
        write(folder / "index.html", pictures_page.render(samples, seen))


def _samples(
    paths: Sequence[str], labels: "NDArray[np.int64]", test: "BatchReader", count: int, threads: int
) -> "Samples":
    """Return test images of each class, and training images before and after preprocessing.

    Args:
        paths: of the test images.
        labels: likewise.
        test: reads them.
        count: of the training images, the first that the paper's recipe comes to.
        threads: that decode.
    """
    import numpy as np

    from deepfake_ensemble.archives.layouts import LAYOUTS
    from deepfake_ensemble.explanation.pictures_page import Samples
    from deepfake_ensemble.foundation.section import Interpolation, Seed32
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.order import permutation
    from deepfake_ensemble.reading.records import PackedImages
    from deepfake_ensemble.training.residual.augmentation import AugmentedReader

    layout = LAYOUTS[params.read("data_sets.internal.layout", str)]
    firsts: dict[str, dict[int, int]] = {subject: {} for subject in layout.subjects.values()}
    for at, path in enumerate(paths):
        firsts.get(layout.subject(path) or "", {}).setdefault(int(labels[at]), at)
    subjects = {}
    for subject, of in firsts.items():
        if len(of) == 2:
            shown = [of[0], of[1]]
            pixels = test.read(np.array(shown))[0]
            subjects[subject] = [(paths[at], each) for at, each in zip(shown, pixels, strict=True)]
    recipe, seed = params.read("recipes.paper", Recipe), params.read("seed", Seed32)
    interpolation = params.read("resizing.interpolation", Interpolation)
    train = PackedImages(Path("data/packed/internal/train"))
    augmented = AugmentedReader(train, test.size, interpolation, recipe, threads)
    first = permutation(len(train), seed, 0)[:count]
    before = BatchReader(train, test.size, interpolation, threads).read(first)[0]
    after = next(augmented.batches(len(first), seed, 0, 0))[0]
    names = [train.paths[at] for at in first.tolist()]
    return Samples(subjects, list(zip(names, before, after, strict=True)))


if __name__ == "__main__":
    command.run(main)
