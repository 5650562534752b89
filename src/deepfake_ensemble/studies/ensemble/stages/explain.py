"""Show where the detectors look, and images that they get wrong, on a page of its own."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import saved


def main() -> None:
    """Write the page of explained images, `reports/explanations`."""
    profile = params.active_profile()
    processor = command.pin_processor(profile)
    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.settings import EvaluationParams, split_of
    from deepfake_ensemble.explanation import gallery_page
    from deepfake_ensemble.explanation.choice import OUTCOMES
    from deepfake_ensemble.explanation.gallery import galleries, summary
    from deepfake_ensemble.explanation.settings import ExplanationParams
    from deepfake_ensemble.foundation.files import replacing_folder, write_json
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.foundation.section import INTERNAL, ImageSize, Interpolation
    from deepfake_ensemble.models import session
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages

    settings = params.read("explanations", ExplanationParams)
    threshold = params.read("evaluation", EvaluationParams).threshold
    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)
    weights = weights_file.read(Path("reports/ensemble/weights.json"))

    members, readers = {}, {}
    for name in params.read("data_sets", dict[str, Any]):
        images = PackedImages(Path("data/packed") / (f"{name}/test" if name == INTERNAL else name))
        members[name] = read_split(weights, split_of(name), images.paths)
        readers[name] = BatchReader(images, size, interpolation, processor.readers)
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    most = len(weights) * len(members) * len(OUTCOMES) * settings.of_each_outcome
    with count_progress("explain", most) as advance:
        found = galleries(
            members,
            readers,
            weights,
            lambda model: saved.load(Path("models") / f"{model}.keras"),
            threshold=threshold,
            settings=settings,
            advance=advance,
        )
    with replacing_folder(Path("reports/explanations")) as folder:
        write_json(folder / "images.json", {name: summary(gallery) for name, gallery in found.items()})
        write(folder / "index.html", gallery_page.render(found, threshold))


if __name__ == "__main__":
    command.run(main)
