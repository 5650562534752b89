"""What the second study's stages have found, read from `reports/` for its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.audit_report import AuditReport
from deepfake_ensemble.archives.splitting import Contents
from deepfake_ensemble.comparison.runs import RunComparison
from deepfake_ensemble.comparison.verdicts import Beside, beside_constant
from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.foundation.files import read_result
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.mistakes.contrasts import Looks
from deepfake_ensemble.pages.numbers import decimals
from deepfake_ensemble.pages.titles import TEST_SETS
from deepfake_ensemble.studies.common.complexity import Cost
from deepfake_ensemble.studies.residual.gradients import Gradients
from deepfake_ensemble.studies.residual.outline import Networks, Stage
from deepfake_ensemble.training.residual.curves import Curves
from deepfake_ensemble.training.residual.settings import Runs

# Networks that `stem` does not change: `surgery.with_small_stem` returns them as they are.
WITHOUT_STEM = frozenset({"vgg16", "bird_lotfi", "compact"})
STEMS: Mapping[str, str] = {"imagenet": "published", "small": "small"}


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything the page shows.

    Attributes:
        profile: its name.
        params: all of params.yaml that shapes the results, the profile's under `profiles`.
        runs: what could be trained.
        metrics: of each run that was done, by test set.
        comparison: by test set.
        curves: of each run that was done.
        gradients: before the first update, with connections and without.
        networks: what each run's costs by its shape.
        outlines: what the ResNets among them look like.
        audit: of the data.
        splits: what each holds.
        looks: what the images look like that runs get wrong.
    """

    profile: str
    params: Mapping[str, Any]
    runs: Runs
    metrics: Mapping[str, Mapping[str, Metrics]]
    comparison: Mapping[str, RunComparison]
    curves: Mapping[str, Curves]
    gradients: Gradients
    networks: Mapping[str, Cost]
    outlines: Mapping[str, Sequence[Stage]]
    audit: AuditReport
    splits: Mapping[str, Contents]
    looks: Looks

    @property
    def is_sample(self) -> bool:
        """Whether the data are synthesised."""
        return self.params["profiles"]["source"] == "sample"

    @property
    def recipes(self) -> dict[str, Mapping[str, Any]]:
        """The recipes of the runs that were done, by name."""
        names = dict.fromkeys(self.runs.all[run].recipe for run in self.curves)
        return {name: self.params["recipes"][name] for name in names}

    @property
    def is_one_run(self) -> bool:
        """Whether there is nothing to compare a run with."""
        return len(self.curves) == 1

    @property
    def official(self) -> RunComparison:
        """The comparison on the test set as published."""
        return self.comparison["official"]

    @property
    def digits(self) -> int:
        """Decimals of a share of the test set."""
        return decimals(self.official.n)

    @property
    def best(self) -> str:
        """The run with the highest F1 on validation."""
        return self.official.best

    @property
    def beside_constant(self) -> dict[str, Beside]:
        """Whether the best run's F1 is more than a constant answer's, by test set."""
        return {
            name: beside_constant(of.intervals[self.best].f1, of.constant.f1)
            for name, of in self.comparison.items()
        }

    def learnt(self, run: str) -> bool:
        """Return whether a run's F1 on the test set as published is more than a constant answer's."""
        return beside_constant(self.official.intervals[run].f1, self.official.constant.f1) == "more"

    def has_results(self, run: str) -> bool:
        """Return whether a run has results."""
        return run in self.metrics["official"]


def stem_title(model: str, stem: str) -> str | None:
    """Return what people read for a network's stem; None where it has no stem that could be another."""
    return None if model in WITHOUT_STEM else STEMS[stem]


def read(folder: Path, profile: str, params: Mapping[str, Any], runs: Runs) -> Study:
    """Read what lies under `folder`.

    Args:
        folder: the study's `reports`.
        profile: the active profile's name.
        params: what of params.yaml shapes the results, the active profile's section under `profiles`.
        runs: the section `runs`.

    Raises:
        UserError: naming the file that is missing or cannot be read.
    """
    networks = read_result(folder / "networks.json", Networks)
    evaluations = {name: folder / "evaluation" / name for name in TEST_SETS}
    return Study(
        profile=profile,
        params=params,
        runs=runs,
        metrics={
            name: read_result(each / "metrics.json", dict[str, Metrics]) for name, each in evaluations.items()
        },
        comparison={
            name: read_result(each / "comparison.json", RunComparison) for name, each in evaluations.items()
        },
        curves=read_result(folder / "training/curves.json", dict[str, Curves]),
        gradients=read_result(folder / "gradients.json", Gradients),
        networks=networks.runs,
        outlines=networks.outlines,
        audit=read_result(folder / f"data/{INTERNAL}.json", AuditReport),
        splits=read_result(folder / "data/splits.json", dict[str, Contents]),
        looks=read_result(folder / "mistakes.json", Looks),
    )
