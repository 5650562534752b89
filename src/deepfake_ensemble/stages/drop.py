"""Measure what the detectors lose from the internal test to another data set, and on what its images show."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.sources.origin import DataSet


def main(data_set: str) -> None:
    command.settle(params.active_profile())
    from deepfake_ensemble.data.layouts import LAYOUTS
    from deepfake_ensemble.ensemble import weights_file
    from deepfake_ensemble.evaluation.comparison import cross_data_set
    from deepfake_ensemble.evaluation.predictions import read
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams, split_of
    from deepfake_ensemble.foundation.files import write_json

    settings = params.read("comparison", ComparisonParams)
    layout = LAYOUTS[params.read(f"data_sets.{data_set}", DataSet).layout]
    weights = weights_file.read(Path("reports/ensemble/weights.json"))
    internal, outside = (
        {model: read(Path("predictions") / model / f"{of}.csv") for model in weights}
        for of in ("test", split_of(data_set))
    )
    found = cross_data_set(
        internal,
        outside,
        weights,
        names=("internal", data_set),
        subjects=[layout.subject(path) for path in next(iter(outside.values())).paths],
        seed=settings.seed,
        resamples=settings.resamples,
        confidence=settings.confidence,
        threshold=params.read("evaluation", EvaluationParams).threshold,
    )
    folder = Path("reports/comparison") / data_set
    write_json(
        folder / "drop_intervals.json",
        {
            name: {metric: of["drop"] for metric, of in drops.items()}
            for name, drops in found["drops"].items()
        },
    )
    write_json(folder / "drop.json", found)


if __name__ == "__main__":
    command.run(main)
