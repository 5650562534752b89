"""Repeat the study with each of `seeds` and write into docs/seeds.md how much figures differ: `make seeds`.

Each repetition is a DVC experiment, `seed-N`, made in a clone: the workspace stays as it is, what was
trained before comes from DVC's run cache, `dvc exp show` lists the runs and `dvc exp apply seed-N` brings
one back. An earlier one of that name is of an earlier state, and is replaced. Where there are several GPUs
or hosts, trainings run side by side (docs/scaling.md). Images and splits are the same in all of them, so
what differs is the training alone.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from math import floor, log10
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import MinLen

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.cluster import engines
from deepfake_ensemble.cluster.head import Handing, Point, experiments
from deepfake_ensemble.comparison.comparison import Settings
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.sample import Sample
from deepfake_ensemble.comparison.spread import Spread, by_image, crossed_effects, spread
from deepfake_ensemble.evaluation.predictions import read_split
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams, split_of
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, with_ensemble
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json, replacing_file, write_json
from deepfake_ensemble.foundation.section import INTERNAL, Seed32
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.workflow import generated, measured

PAGE = Path("docs/seeds.md")
MEASUREMENTS = Path("docs/measurements/seeds")
METRICS: dict[Tested, str] = {"accuracy": "accuracy", "auc": "AUC", "log_loss": "log loss"}


def repeat(
    seeds: Sequence[int], evaluations: Sequence[str], settings: Settings, handing: Handing
) -> dict[str, Any]:
    """Run an experiment for each seed and return what they gave.

    Returns:
        figures: by seed, evaluation, detector and metric; rivals: by seed, evaluation and metric, the member
        that was the best on validation; gains: by evaluation and metric, the ensemble less its rivals over
        seeds and images together.

    Raises:
        UserError: if a run fails.
    """
    points = [Point(_name(seed), (f"seed={seed}",)) for seed in seeds]
    experiments(points, handing)
    figures: dict[str, Any] = {}
    rivals: dict[str, Any] = {}
    gains: dict[str, Any] = {}
    for evaluation in evaluations:
        samples = []
        for seed in seeds:
            measured = json.loads(_read(seed, f"reports/evaluation/{evaluation}/metrics.json"))
            question = json.loads(_read(seed, f"reports/comparison/{evaluation}.json"))["question"]
            figures.setdefault(str(seed), {})[evaluation] = {
                detector: {metric: of[metric] for metric in METRICS} for detector, of in measured.items()
            }
            rivals.setdefault(str(seed), {})[evaluation] = {
                metric: question[metric]["contrast"]["second"] for metric in METRICS
            }
            samples.append(_sample(seed, evaluation, settings))
        gains[evaluation] = {
            metric: crossed_effects(
                np.stack(
                    [
                        by_image(of, ENSEMBLE, rivals[str(seed)][evaluation][metric], metric)
                        for seed, of in zip(seeds, samples, strict=True)
                    ]
                ),
                settings.confidence,
            )
            for metric in METRICS
        }
    return {"figures": figures, "rivals": rivals, "gains": gains}


def _name(seed: int) -> str:
    return f"seed-{seed}"


def _read(seed: int, path: str) -> str:
    import dvc.api

    return str(dvc.api.read(path, rev=_name(seed)))


def _sample(seed: int, evaluation: str, settings: Settings) -> Sample:
    """Measure a run's detectors on a data set anew, from its predictions."""
    weights = json.loads(_read(seed, "reports/ensemble/weights.json"))
    with tempfile.TemporaryDirectory() as folder:
        for model in weights:
            path = f"{model}/{split_of(evaluation)}.csv"
            with replacing_file(Path(folder) / path) as partial:
                partial.write_text(_read(seed, f"predictions/{path}"), encoding="utf-8")
        found = read_split(weights, split_of(evaluation), folder=Path(folder))
    return settings.sample(found, with_ensemble(weights, found.p_fake), evaluation)


def part(run: Mapping[str, Any]) -> str:
    """Return what docs/seeds.md shows of a profile's repetitions, in Markdown."""
    seeds = list(run["figures"])
    told = [f"Seeds {', '.join(seeds)}; the same images and splits."]
    for evaluation in run["figures"][seeds[0]]:
        by_seed = {seed: run["figures"][seed][evaluation] for seed in seeds}
        name = title(evaluation)
        for metric, heading in METRICS.items():
            rows = {
                measured.detector(detector): spread([of[detector][metric] for of in by_seed.values()])
                for detector in by_seed[seeds[0]]
                if metric in by_seed[seeds[0]][detector]
            }
            if not rows:
                continue
            if "rivals" in run:
                rivals = [run["rivals"][seed][evaluation][metric] for seed in seeds]
                rows["ensemble less best member by validation"] = spread(
                    [
                        of[ENSEMBLE][metric] - of[rival][metric]
                        for rival, of in zip(rivals, by_seed.values(), strict=True)
                    ]
                )
            told.append(f"{name[0].upper()}{name[1:]}, {heading}:")
            told.append(
                generated.table(
                    [
                        "detector",
                        *(f"seed {seed}" for seed in seeds),
                        "mean",
                        "sd",
                        "two differ by less than",
                    ],
                    [[row, *_cells(of)] for row, of in rows.items()],
                )
            )
            if "gains" in run:
                told.append(_together(run["gains"][evaluation][metric], metric))
    return "\n\n".join(told)


def _cells(of: Spread) -> list[str]:
    limit = "not known" if of.repeatability is None else _shown(of.repeatability)
    return [*map(_shown, of.values), _with_ends(of.mean), _shown(of.deviation), limit]


def _together(gain: Mapping[str, Any], metric: Tested) -> str:
    """Say what the ensemble gains over seeds and images together."""
    mean = Interval(**gain["mean"])
    if metric == "log_loss":  # of which less is better: a gain is what it is lower by
        mean = Interval(-mean.value, *(None if end is None else -end for end in (mean.ci_high, mean.ci_low)))
    return (
        f"Over other seeds and other images the ensemble's {METRICS[metric]} less that of the best member by"
        f" validation is {_with_ends(mean)}; {_shares(gain['of_seeds'], gain['of_images'])}."
    )


def _shares(of_seeds: float, of_images: float) -> str:
    """Say what a variance is made of; an estimate below 0 was taken for 0."""
    if not of_images:
        return "the images' part of the variance was estimated at 0, so that this is of the seeds alone"
    return f"of the variance {of_seeds:.0%} come of the seeds, {of_images:.0%} of the images"


def _with_ends(of: Interval) -> str:
    ends = "" if of.ci_low is None else " ({} to {})".format(*map(_shown, of.ends))
    return f"{_shown(of.value)}{ends}"


def _shown(value: float) -> str:
    """Return a figure with three digits, or with as many as its first one needs."""
    digits = 3 if not value or abs(value) >= 5e-4 else -floor(log10(abs(value)))
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.000


def parts(measurements: Path) -> dict[str, str]:
    """Return for each profile that was repeated, by name, what docs/seeds.md shows of it."""
    return {file.stem: part(read_json(file)) for file in sorted(measurements.glob("*.json"))}


def main() -> None:
    """Repeat the study and rewrite docs/seeds.md; `--page` only rewrites it."""
    parser = argparse.ArgumentParser(prog="make seeds", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--page", action="store_true", help="write the page from what was measured before")
    engines.add_arguments(parser)
    arguments = parser.parse_args()
    if not arguments.page:
        profile = params.active_profile().rpartition(".")[2]
        seeds = params.read("seeds", Annotated[list[Seed32], MinLen(2)])
        data_sets = params.read("data_sets", dict[str, DataSet])
        outside = [name for name in data_sets if name != INTERNAL]
        settings = Settings(
            params.read("evaluation", EvaluationParams), params.read("comparison", ComparisonParams)
        )
        found = repeat(seeds, [INTERNAL, *outside], settings, engines.handing(arguments))
        write_json(MEASUREMENTS / f"{profile}.json", rounded(found))
    generated.refresh(PAGE, parts(MEASUREMENTS))


if __name__ == "__main__":
    with exiting():
        main()
