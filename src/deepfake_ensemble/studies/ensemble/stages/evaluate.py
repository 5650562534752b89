"""Measure the detectors and their ensemble on one data set, from stored predictions alone."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params


def main(evaluation: str) -> None:
    """Write metrics and curves of an evaluation to `reports/evaluation/EVALUATION`."""
    command.pin_processor(params.active_profile())
    from deepfake_ensemble.evaluation import curve_tables, weights_file
    from deepfake_ensemble.evaluation.metrics import metrics
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.rounding import rounded
    from deepfake_ensemble.evaluation.settings import EvaluationParams, split_of
    from deepfake_ensemble.evaluation.weighting import with_ensemble
    from deepfake_ensemble.foundation.files import write_json

    settings = params.read("evaluation", EvaluationParams)
    weights = weights_file.read(Path("reports/ensemble/weights.json"))
    tables = read_split(weights, split_of(evaluation))
    detectors = with_ensemble(weights, tables.p_fake)
    folder = Path("reports/evaluation") / evaluation
    write_json(
        folder / "metrics.json",
        {
            name: rounded(
                metrics(
                    tables.labels,
                    p_fake,
                    settings.threshold,
                    settings.ece_bins,
                    settings.smallest_probability,
                )
            )
            for name, p_fake in detectors.items()
        },
    )
    curve_tables.write(folder, tables.labels, detectors, settings)


if __name__ == "__main__":
    command.run(main)
