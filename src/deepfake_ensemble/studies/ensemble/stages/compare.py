"""Compare the detectors and their ensemble: intervals, tests, what each member adds, what is lost elsewhere.

One stage for all data sets: to begin a stage and to write down that it ran takes DVC longer than all of this
at the sample's size, and at the study's size it takes seconds.
"""

from pathlib import Path

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import command, params


def main() -> None:
    """Write `reports/comparison`: each data set's comparison, tables for plots, drops between data sets."""
    command.pin_processor(params.active_profile())
    from deepfake_ensemble.archives.layouts import LAYOUTS
    from deepfake_ensemble.comparison import comparison_tables
    from deepfake_ensemble.comparison.comparison import Settings, compare, cross_data_set
    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams, split_of
    from deepfake_ensemble.foundation.files import replacing_folder, write_json
    from deepfake_ensemble.foundation.section import INTERNAL

    settings = Settings(
        params.read("evaluation", EvaluationParams), params.read("comparison", ComparisonParams)
    )
    data_sets = params.read("data_sets", dict[str, DataSet])
    weights = weights_file.read(Path("reports/ensemble/weights.json"))
    val = read_split(weights, "val")
    tests = {name: read_split(weights, split_of(name)) for name in data_sets}
    comparisons = {
        name: compare(
            test,
            val,
            weights,
            settings,
            data_set=name,
        )
        for name, test in tests.items()
    }
    with replacing_folder(Path("reports/comparison")) as folder:
        comparison_tables.write(folder, comparisons)
        for name, compared in comparisons.items():
            write_json(folder / f"{name}.json", compared)
        for name, data_set in data_sets.items():
            if name == INTERNAL:
                continue
            lost = cross_data_set(
                tests[INTERNAL],
                tests[name],
                weights,
                settings,
                names=(INTERNAL, name),
                subjects=[LAYOUTS[data_set.layout].subject(path) for path in tests[name].paths],
            )
            write_json(folder / "drop" / f"{name}.json", lost)


if __name__ == "__main__":
    command.run(main)
