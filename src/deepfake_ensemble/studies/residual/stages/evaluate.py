"""Score all runs, and their weighted average, on the test set as published or on what of it is leak-free."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from deepfake_ensemble.training.residual.settings import ProfileRun, Recipe, Runs


def main(test_set: str, split: str) -> None:
    """Write metrics and comparison of all runs on the images of a split to `reports/evaluation/TEST_SET`."""
    profile = params.active_profile()
    command.pin_processor(profile)
    from deepfake_ensemble.archives import index
    from deepfake_ensemble.comparison import runs as evaluation
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
    from deepfake_ensemble.evaluation.weighting import Method
    from deepfake_ensemble.foundation.files import write_json
    from deepfake_ensemble.inference import left_out as results_folder

    runs = params.read("runs", Runs)
    measuring = params.read("evaluation", EvaluationParams)
    comparison = params.read("comparison", ComparisonParams)
    settings = evaluation.Settings(
        threshold=measuring.threshold,
        ece_bins=measuring.ece_bins,
        smallest_probability=measuring.smallest_probability,
        resamples=comparison.resamples,
        confidence=comparison.confidence,
        seed=comparison.seed,
        weighting=params.read("ensemble.weighting", Method),
    )
    empty = {run: results_folder.reason_left_out(Path("predictions") / run) for run in runs.all}
    done = [run for run, reason in empty.items() if reason is None]
    test, val = (read_split(done, split) for split in ("test", "val"))
    shares = evaluation.ensemble_weights(val, evaluation.members(done, runs.imagenet, runs.random), settings)
    asked = {row.path for row in index.read_split(Path("data/splits") / f"{split}.csv")}
    test = evaluation.with_paths(evaluation.with_ensemble(test, shares), asked)
    folder = Path("reports/evaluation") / test_set
    write_json(folder / "metrics.json", evaluation.scores(test, settings))
    extents = params.read(f"{profile}.runs", dict[str, ProfileRun])
    recipes = params.read("recipes", dict[str, Recipe])
    contrasts = evaluation.contrasted(done, runs, recipes, extents, tuple(RESNETS.values()))
    left_out = {run: reason for run, reason in empty.items() if reason is not None}
    compared = evaluation.compared(
        test, val, settings, test_set, shares=shares, left_out=left_out, contrasts=contrasts
    )
    write_json(folder / "comparison.json", compared)


if __name__ == "__main__":
    command.run(main)
