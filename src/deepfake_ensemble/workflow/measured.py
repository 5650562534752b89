"""What measured runs of the first study left, as README.md and docs/results.md show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.audit_report import AuditReport
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.verdicts import Finding, Verdict
from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json, read_result
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.numbers import points
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.studies.ensemble.report.answer import of_no_use
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, read_compared, read_drop

STUDY = (256, 100_000, "imagenet")  # the size of its images, how many are trained on, the initial weights
OF_NO_USE = "of no use"
VERDICTS: Mapping[Verdict, str] = {
    "helps": "helps",
    "helps little": "helps little",
    "hurts": "hurts",
    "hurts little": "hurts little",
    "same": "the same",
    "equivalent": "equivalent",
    "cannot": "cannot show",
    "unclear": "not shown",
}


@dataclass(frozen=True)
class Reports:
    """The reports of one run.

    Attributes:
        metrics: by evaluation and detector.
        weights: of the ensemble, by model.
        audits: of the data set behind each evaluation.
        evaluations: what was compared, by name, without what no sentence tells of; none in old runs.
    """

    metrics: dict[str, dict[str, Metrics]]
    weights: dict[str, float]
    audits: dict[str, AuditReport]
    evaluations: dict[str, Evaluation]


@dataclass(frozen=True)
class Run:
    """A measured run.

    Attributes:
        name: of its file and of its folder.
        about: what `measured_run.py` wrote of it.
        folder: its reports.
    """

    name: str
    about: Mapping[str, Any]
    folder: Path

    @property
    def profile(self) -> str:
        return self.about["profile"]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What of params.yaml its profile has."""
        return self.about["params"]["profiles"][self.profile]

    @property
    def is_sample(self) -> bool:
        """Whether its images were synthesised."""
        return self.settings["source"] == "sample"

    @property
    def is_study(self) -> bool:
        """Whether it is of the study's size, data and weights."""
        size = self.settings["image_size"], self.settings["counts"]["train"], self.settings["initial_weights"]
        return not self.is_sample and size == STUDY

    @property
    def weighting(self) -> Method:
        return self.about["params"]["ensemble"]["weighting"]

    @property
    def members(self) -> list[str]:
        """The models that were trained."""
        trained = (name.partition("@") for name in self.about["stages"])
        return [model for stage, _, model in trained if stage == "train"]

    @property
    def seed(self) -> int:
        return self.about["params"]["seed"]

    def differs_by_seed(self, other: "Run") -> bool:
        """Return whether nothing but the seed is other in another run's params."""
        mine, others = (of.about["params"] for of in (self, other))
        return self.seed != other.seed and mine | {"seed": 0} == others | {"seed": 0}

    @property
    def minutes(self) -> float:
        """How long all stages took together."""
        return sum(of["seconds"] for of in self.about["stages"].values()) / 60

    def described(self) -> str:
        """Return what was trained from what."""
        names = {"random": "random", "imagenet": "ImageNet"}
        default = self.settings["initial_weights"]
        others = {
            model: weights
            for model, weights in self.settings.get("initial_weights_of", {}).items()
            if model in self.members and weights != default
        }
        of_others = ", ".join(f"{names[weights]} for {title(model)}" for model, weights in others.items())
        size = self.settings["image_size"]
        archive = title(self.about["params"]["data_sets"][INTERNAL]["archive"])
        images = "training images" if self.is_sample else f"training images ({archive})"
        return (
            f"{self.settings['counts']['train']:,} {images} of {size}×{size} pixels, {names[default]} initial"
            f" weights{f' ({of_others})' if others else ''}"
        )

    def changed_params(self) -> dict[str, tuple[Any, Any]]:
        """Return which of the params that trainings depend on have another value now: by whole key, the value
        then and now, without those that the run was told to change."""
        of_profile = ("image_size", "counts", "initial_weights", "initial_weights_of", "training")
        trained = ("training", "resizing", *(f"profiles.{self.profile}.{key}" for key in of_profile))
        trained += tuple(f"models.{model}" for model in self.members)
        before, now = _leaves(self.about["params"]), _leaves(params.load())
        chosen = {change.lstrip("+~").partition("=")[0] for change in self.about.get("changes", ())}
        return {
            key: (before[key], now[key])
            for key in sorted(before.keys() & now.keys() - chosen)
            if before[key] != now[key] and any(f"{key}.".startswith(f"{section}.") for section in trained)
        }

    def reports(self) -> Reports:
        """Read its reports, laid out as `reports/`.

        Raises:
            UserError: if there is no evaluation, or one is missing or not what its stage writes.
        """
        evaluated = sorted(
            (self.folder / "evaluation").glob("*/metrics.json"),
            key=lambda it: (it.parent.name != INTERNAL, it.parent.name),
        )
        if not evaluated:
            raise UserError(f"{self.folder}: holds no evaluation; run `python benchmarks/measured_run.py`")
        metrics = {file.parent.name: read_result(file, dict[str, Metrics]) for file in evaluated}
        return Reports(
            metrics={name: told_once(of) for name, of in metrics.items()},
            weights=read_result(self.folder / "ensemble/weights.json", dict[str, float]),
            audits={name: read_result(self.folder / f"data/{name}.json", AuditReport) for name in metrics},
            evaluations={
                name: self._evaluation(name)
                for name in metrics
                if (self.folder / f"comparison/{name}.json").exists()
            },
        )

    def _evaluation(self, name: str) -> Evaluation:
        drop = self.folder / f"comparison/drop/{name}.json"
        return Evaluation(
            name=name,
            metrics={},
            compared=read_compared(self.folder / f"comparison/{name}.json"),
            roc={},
            precision_recall={},
            confusion={},
            drop=read_drop(drop) if drop.exists() else None,
        )


def runs(measurements: Path) -> list[Run]:
    """Return the runs whose measurements lie in a folder, by params.yaml's order of profiles, then by name.

    What benchmarks of speed left there tells of no stages.
    """
    profiles = list(params.load()["profiles"])
    found = [
        Run(file.stem, about, file.with_suffix(""))
        for file in measurements.glob("*.json")
        if "stages" in (about := read_json(file))
    ]
    return sorted(
        found, key=lambda run: (profiles.index(run.profile) if run.profile in profiles else -1, run.name)
    )


def _leaves(of: Any, key: str = "") -> dict[str, Any]:
    """Return the values of params.yaml by their whole keys."""
    if not isinstance(of, Mapping):
        return {key: of}
    return {
        name: leaf
        for each, value in of.items()
        for name, leaf in _leaves(value, f"{key}.{each}" if key else str(each)).items()
    }


def gain(findings: Mapping[Tested, Finding], evaluation: Evaluation) -> str:
    """Return what the ensemble gains in accuracy on a data set, in points."""
    return str(points(findings["accuracy"].contrast.gain.value, evaluation.digits))


def verdict_by_metric(findings: Mapping[Tested, Finding], evaluation: Evaluation) -> dict[Tested, str]:
    """Return what is said of each metric."""
    useless = of_no_use(findings, evaluation)
    return {
        metric: OF_NO_USE if metric in useless else VERDICTS[it.verdict] for metric, it in findings.items()
    }


def verdicts(findings: Mapping[Tested, Finding], evaluation: Evaluation) -> str:
    """Return what is said of each metric, as "(helps, not shown, of no use)"."""
    return f"({', '.join(verdict_by_metric(findings, evaluation).values())})"


def detector(name: str) -> str:
    """Return what people read for a detector's key in a table: the ensemble stands out."""
    return f"**{title(name)}**" if name == ENSEMBLE else title(name)


def trivial(audit: AuditReport) -> str:
    """Return what people read for the regression on trivial features, with the images that it is of."""
    fitted = audit.baselines.logistic
    return f"*logistic regression on trivial features{f', n = {fitted.n:,}' if fitted else ''}*"
