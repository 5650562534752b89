"""Measure what the images look like that networks get wrong, beside those that they get right."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.studies.residual.examined_runs import examined_runs
from deepfake_ensemble.training.residual.settings import Runs

KINDS = {
    (False, True): "Real, called fake: wrong",
    (False, False): "Real, called real: right",
    (True, True): "Fake, called real: wrong",
    (True, False): "Fake, called fake: right",
}


def main() -> None:
    """Write the figures of mistakes, `reports/mistakes.json`, and their galleries, `reports/mistakes`."""
    command.pin_processor(params.active_profile())
    import numpy as np

    from deepfake_ensemble.archives.layouts import LAYOUTS
    from deepfake_ensemble.evaluation import model_choice
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.rounding import rounded
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
    from deepfake_ensemble.foundation.errors import UserError
    from deepfake_ensemble.foundation.files import replacing_folder, write_json
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.inference import left_out as results_folder
    from deepfake_ensemble.mistakes import page
    from deepfake_ensemble.mistakes.contrasts import Looks, look
    from deepfake_ensemble.mistakes.measures import Measures, measures
    from deepfake_ensemble.mistakes.settings import Mistakes
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.reading.images import decode
    from deepfake_ensemble.reading.records import PackedImages

    settings = params.read("mistakes", Mistakes)
    threshold = params.read("evaluation", EvaluationParams).threshold
    confidence = params.read("comparison", ComparisonParams).confidence
    layout = LAYOUTS[params.read("data_sets.internal.layout", str)]
    folders = {run: Path("predictions") / run for run in params.read("runs", Runs).all}
    done = [run for run, folder in folders.items() if results_folder.reason_left_out(folder) is None]
    if not done:
        raise UserError("runs: this profile does none, so there is nothing to look at")
    val = read_split(done, "val")
    runs = examined_runs(model_choice.best(val.labels, val.p_fake, threshold), done)

    images = PackedImages(Path("data/packed/internal/test"))
    test = read_split(runs, "test", images.paths)
    found = []
    with count_progress("measure test images", len(images)) as advance:
        for position in range(len(images)):
            found.append(measures(decode(images[position])))
            advance(1)
    measured = dict(zip(Measures._fields, np.array(found, np.float64).T, strict=True))
    wrong = {run: (p >= threshold) != (test.labels == 1) for run, p in test.p_fake.items()}
    subjects = [layout.subject(path) for path in test.paths]
    looks = {run: look(test.labels, wrong[run], measured, subjects, confidence) for run in runs}
    write_json(Path("reports/mistakes.json"), rounded(Looks(confidence, looks)))

    def rows(run: str, values: np.ndarray) -> list[page.Row]:
        return [
            page.Row(
                kind,
                int((which := (test.labels == is_fake) & (wrong[run] == is_wrong)).sum()),
                [
                    page.MeasuredImage(test.paths[at], float(values[at]), decode(images[at]))
                    for at in page.evenly(values, which, settings.shown)
                ],
            )
            for (is_fake, is_wrong), kind in KINDS.items()
        ]

    galleries = {run: {name: rows(run, of) for name, of in measured.items()} for run in runs}
    with replacing_folder(Path("reports/mistakes")) as folder:
        write(folder / "index.html", page.render(galleries))


if __name__ == "__main__":
    command.run(main)
