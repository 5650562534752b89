"""Measure what the detectors lose on perturbed images, and write a page on it."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.foundation import command, params


def main() -> None:
    """Write the figures of all conditions, and the page on them, to `reports`."""
    profile = params.active_profile()
    command.pin_processor(profile)
    from deepfake_ensemble.comparison.comparison import Settings
    from deepfake_ensemble.comparison.robustness import NoImages, RobustnessFigures, robustness, summary
    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import read
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
    from deepfake_ensemble.foundation.files import write_json
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.perturbing.conditions import Robustness, conditions
    from deepfake_ensemble.studies.ensemble.report import robustness_page

    settings = params.read("robustness", Robustness)
    measured = Settings(
        params.read("evaluation", EvaluationParams), params.read("comparison", ComparisonParams)
    )
    weights = weights_file.read(Path("reports/ensemble/weights.json"))
    predictions, reports = Path("predictions"), Path("reports")
    test_images = len(read(predictions / next(iter(weights)) / "test.csv").labels)
    found: RobustnessFigures | NoImages = NoImages()
    if params.read(f"{profile}.perturbed_images", Annotated[int, Ge(0)]):
        found = robustness(
            {model: read(predictions / model / "test.csv") for model in weights},
            {
                condition: {
                    model: read(Path("predictions_perturbed") / model / f"{condition.name}.csv")
                    for model in weights
                }
                for condition in conditions(settings)
            },
            {
                data_set: {model: read(predictions / model / f"{data_set}.csv") for model in weights}
                for data_set in settings.like
            },
            weights,
            measured,
        )
    write_json(
        reports / "robustness/metrics.json", summary(found) if isinstance(found, RobustnessFigures) else {}
    )
    write_json(reports / "robustness/figures.json", found)
    page = robustness_page.render(found, settings, profile.rpartition(".")[2], test_images)
    write(reports / "robustness.html", page)


if __name__ == "__main__":
    command.run(main)
