"""Compare the detectors and their ensemble on one data set: intervals, tests, what each member adds."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params


def main(evaluation: str) -> None:
    command.settle(params.active_profile())
    from deepfake_ensemble.ensemble import weights_file
    from deepfake_ensemble.evaluation import comparison_tables
    from deepfake_ensemble.evaluation.comparison import compare
    from deepfake_ensemble.evaluation.predictions import read
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams, split_of
    from deepfake_ensemble.foundation.files import write_json

    settings = params.read("comparison", ComparisonParams)
    measuring = params.read("evaluation", EvaluationParams)
    weights = weights_file.read(Path("reports/ensemble/weights.json"))
    test, val = (
        {model: read(Path("predictions") / model / f"{of}.csv") for model in weights}
        for of in (split_of(evaluation), "val")
    )
    compared = compare(
        test,
        val,
        weights,
        data_set=evaluation,
        seed=settings.seed,
        resamples=settings.resamples,
        confidence=settings.confidence,
        threshold=measuring.threshold,
        ece_bins=measuring.ece_bins,
    )
    folder = Path("reports/comparison")
    comparison_tables.write(folder / evaluation, compared)
    write_json(folder / evaluation / "intervals.json", compared["detectors"])
    write_json(folder / f"{evaluation}.json", compared)


if __name__ == "__main__":
    command.run(main)
