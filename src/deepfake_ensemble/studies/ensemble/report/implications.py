"""What follows for use (section 3.1.2, step 5): what the ensemble costs and gains, where not to use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from deepfake_ensemble.comparison.comparison import NoThreshold
from deepfake_ensemble.comparison.operating_points import Gain
from deepfake_ensemble.studies.ensemble.costs import Cost, Costs, Times
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, Study

# What an operating point's threshold was chosen for.
THRESHOLDS = {
    "default": "as set",
    "youden": "Youden's",
    "fpr_1_percent": "one real in a hundred",
    "fpr_1_permille": "one real in a thousand",
}

# What a threshold gives the ensemble, beside a member at its own: more fakes or more reals got right.
Verdict = Literal["gains", "trades", "loses", "not shown"]


@dataclass(frozen=True)
class Bought:
    """What the ensemble gains on one data set, by what thresholds were chosen for.

    Attributes:
        evaluation: of the data set.
        gains: over the member.
        verdicts: on them.
        mostly_real_below: the share of fakes below which most of what it calls fake is real, at the threshold
            as set.
    """

    evaluation: Evaluation
    gains: Mapping[str, Gain]
    verdicts: Mapping[str, Verdict]
    mostly_real_below: float | None


@dataclass(frozen=True)
class Implications:
    """What follows for use.

    Attributes:
        best: the most accurate member on validation.
        cost: its own.
        ensemble: the ensemble's.
        times: how many times as much that is.
        bought: by data set, the internal test first.
    """

    best: str
    cost: Cost
    ensemble: Cost
    times: Times
    bought: Sequence[Bought]

    @property
    def gaining(self) -> list[str]:
        """What the thresholds were chosen for at which a gain is shown on the internal test."""
        return [name for name, verdict in self.bought[0].verdicts.items() if verdict == "gains"]


def implications(study: Study) -> Implications:
    """Return what follows from a study's figures."""
    return of_figures(study.evaluations, study.costs)


def of_figures(evaluations: Sequence[Evaluation], costs: Costs) -> Implications:
    """Return what follows from evaluations, of which the internal test comes first, and costs."""
    best = evaluations[0].compared.question["accuracy"].contrast.second
    return Implications(
        best=best,
        cost=costs.members[best],
        ensemble=costs.ensemble,
        times=costs.times[best],
        bought=[_bought(each) for each in evaluations],
    )


def _bought(evaluation: Evaluation) -> Bought:
    gains = evaluation.compared.gains
    as_set = evaluation.compared.operating_points[evaluation.subject]["default"]
    return Bought(
        evaluation=evaluation,
        gains=gains,
        verdicts={name: verdict(gain, evaluation.compared.confidence) for name, gain in gains.items()},
        mostly_real_below=None if isinstance(as_set, NoThreshold) else as_set.mostly_real_below,
    )


def verdict(gain: Gain, confidence: float) -> Verdict:
    """Return what the tests of both differences say together, corrected for all that are shown with them.

    Args:
        gain: both differences.
        confidence: a p below what is left of 1 counts.
    """
    tested = ((gain.fakes_found, gain.fakes_p), (gain.reals_spared, gain.reals_p))
    shown = [of.value for of, p in tested if p is not None and p < 1 - confidence]
    better, worse = any(value > 0 for value in shown), any(value < 0 for value in shown)
    if better:
        return "trades" if worse else "gains"
    return "loses" if worse else "not shown"
