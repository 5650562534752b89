"""Repeat the study with each of `seeds` and write into docs/seeds.md how much figures differ: `make seeds`.

Each repetition is a DVC experiment, `seed-N`, made in a temporary folder: the workspace stays as it is, what
was trained before comes from DVC's run cache, `dvc exp show` lists the runs and `dvc exp apply seed-N` brings
one back. Images and splits are the same in all of them, so what differs is the training alone.
"""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import MinLen

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.comparison.spread import GAIN, Spread, spreads
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json, write_json
from deepfake_ensemble.foundation.section import INTERNAL, Seed32
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.workflow import generated, measured

PAGE = Path("docs/seeds.md")
MEASUREMENTS = Path("docs/measurements/seeds")
METRICS = {"accuracy": "accuracy", "auc": "AUC"}


def repeat(seeds: Sequence[int], evaluations: Sequence[str]) -> dict[str, Any]:
    """Run an experiment for each seed and return its figures: by seed, evaluation, detector and metric.

    Raises:
        UserError: if a run fails.
    """
    return {str(seed): _run(seed, evaluations) for seed in seeds}


def _run(seed: int, evaluations: Sequence[str]) -> dict[str, Any]:
    import dvc.api

    name = f"seed-{seed}"
    print(f"seeds: {name}", flush=True)
    # An earlier one of this name is of an earlier state of the code; what is the same is not trained again.
    subprocess.run(["dvc", "exp", "remove", "--quiet", name], check=False, capture_output=True)
    command = ["dvc", "exp", "run", "--temp", "--name", name, "--set-param", f"seed={seed}"]
    if subprocess.run(command, check=False).returncode:
        raise UserError(
            f"seeds: {name} failed, see above; what it finished is kept for the next `make seeds`"
        )
    return {
        evaluation: {
            detector: {metric: figures[metric] for metric in METRICS}
            for detector, figures in json.loads(
                dvc.api.read(f"reports/evaluation/{evaluation}/metrics.json", rev=name)
            ).items()
        }
        for evaluation in evaluations
    }


def part(run: Mapping[str, Any]) -> str:
    """Return what docs/seeds.md shows of a profile's repetitions, in Markdown."""
    seeds = list(run["figures"])
    told = [f"Seeds {', '.join(seeds)}; the same images and splits."]
    for evaluation in run["figures"][seeds[0]]:
        found = spreads([run["figures"][seed][evaluation] for seed in seeds], list(METRICS))
        name = title(evaluation)
        for metric, heading in METRICS.items():
            told.append(f"{name[0].upper()}{name[1:]}, {heading}:")
            told.append(
                generated.table(
                    ["detector", *(f"seed {seed}" for seed in seeds), "mean", "sd", "a gain must beat"],
                    [[_title(detector), *_cells(of[metric])] for detector, of in found.items()],
                )
            )
    return "\n\n".join(told)


def _title(detector: str) -> str:
    return "ensemble less best member" if detector == GAIN else measured.detector(detector)


def _cells(of: Spread) -> list[str]:
    figures = (*of.values, of.mean, of.deviation, of.repeatability)
    return [f"{round(value, 3) + 0.0:.3f}" for value in figures]  # no -0.000


def parts(measurements: Path) -> dict[str, str]:
    """Return for each profile that was repeated, by name, what docs/seeds.md shows of it."""
    return {file.stem: part(read_json(file)) for file in sorted(measurements.glob("*.json"))}


def main() -> None:
    """Repeat the study and rewrite docs/seeds.md; `--page` only rewrites it."""
    parser = argparse.ArgumentParser(prog="make seeds", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--page", action="store_true", help="write the page from what was measured before")
    if not parser.parse_args().page:
        profile = params.active_profile().rpartition(".")[2]
        seeds = params.read("seeds", Annotated[list[Seed32], MinLen(2)])
        data_sets = params.read("data_sets", dict[str, DataSet])
        outside = [name for name in data_sets if name != INTERNAL]
        figures = repeat(seeds, [INTERNAL, *outside])
        write_json(MEASUREMENTS / f"{profile}.json", rounded({"figures": figures}))
    generated.refresh(PAGE, parts(MEASUREMENTS))


if __name__ == "__main__":
    with exiting():
        main()
