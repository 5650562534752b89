"""Compare the detectors and their ensemble: intervals, tests, what each member adds, what is lost elsewhere.

One stage for all data sets: to begin a stage and to write down that it ran takes DVC longer than all of this
at the sample's size, and at the study's size it takes seconds.
"""

from pathlib import Path

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import command, params


def main() -> None:
    command.pin_processor(params.active_profile())
    from deepfake_ensemble.archives.layouts import LAYOUTS
    from deepfake_ensemble.comparison import comparison_tables
    from deepfake_ensemble.comparison.comparison import compare, cross_data_set
    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import Predictions, read
    from deepfake_ensemble.evaluation.settings import INTERNAL, ComparisonParams, EvaluationParams, split_of
    from deepfake_ensemble.foundation.files import write_json

    settings = params.read("comparison", ComparisonParams)
    measuring = params.read("evaluation", EvaluationParams)
    data_sets = params.read("data_sets", dict[str, DataSet])
    outside = {name: LAYOUTS[of.layout] for name, of in data_sets.items() if name != INTERNAL}
    weights = weights_file.read(Path("reports/ensemble/weights.json"))

    def predicted(split: str) -> dict[str, Predictions]:
        return {model: read(Path("predictions") / model / f"{split}.csv") for model in weights}

    val = predicted("val")
    tests = {evaluation: predicted(split_of(evaluation)) for evaluation in (INTERNAL, *outside)}
    folder = Path("reports/comparison")
    for evaluation, test in tests.items():
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
        comparison_tables.write(folder / evaluation, compared)
        write_json(folder / evaluation / "intervals.json", compared.detectors)
        write_json(folder / f"{evaluation}.json", compared)
    for data_set, layout in outside.items():
        paths = next(iter(tests[data_set].values())).paths
        lost = cross_data_set(
            tests[INTERNAL],
            tests[data_set],
            weights,
            names=(INTERNAL, data_set),
            subjects=[layout.subject(path) for path in paths],
            seed=settings.seed,
            resamples=settings.resamples,
            confidence=settings.confidence,
            threshold=measuring.threshold,
        )
        drops = {
            name: {metric: of.drop for metric, of in vars(metrics).items()}
            for name, metrics in lost.drops.items()
        }
        write_json(folder / data_set / "drop_intervals.json", drops)
        write_json(folder / data_set / "drop.json", lost)


if __name__ == "__main__":
    command.run(main)
