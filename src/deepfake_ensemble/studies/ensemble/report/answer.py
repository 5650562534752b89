"""The study's question answered from its figures: does weighted averaging help?

What may be said follows the rules of `comparison.verdicts`; the words are in templates/answer.jinja.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepfake_ensemble.comparison.comparison import Calibration, Member, Weighting
from deepfake_ensemble.comparison.guessing import Guessing
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.verdicts import Finding
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.rendering import render
from deepfake_ensemble.studies.ensemble.report.study import Evaluation


@dataclass(frozen=True)
class Answer:
    """What one data set says of the ensemble.

    Attributes:
        evaluation: of the data set.
        accuracy: the ensemble's.
        guessing: whether it tells the classes apart there.
        question: by metric, against the member that is the best on validation.
        best_here: by metric, the member that is better on these images; None where none is.
        shares: the study's weights against equal ones, by metric; None where accuracies give none.
        decisions: how many images these decide otherwise.
        best: the best that weights can do against equal ones, by metric; None where a class has one image.
        drop: what the ensemble loses from the internal test; None for that itself.
        calibration: the ensemble's.
        members_certainty: that of the members, weighted.
    """

    evaluation: Evaluation
    accuracy: Interval
    guessing: Guessing
    question: Mapping[Tested, Finding]
    best_here: Mapping[Tested, str | None]
    shares: Mapping[Tested, Finding] | None
    decisions: int
    best: Mapping[Tested, Finding] | None
    drop: Interval | None
    calibration: Calibration
    members_certainty: float


@dataclass(frozen=True)
class Answers:
    """All that is said of the question.

    Attributes:
        failures: members that may be guessing on validation, or do worse.
        weight_of_failures: what they count in the ensemble together.
        answers: the internal test's first.
    """

    failures: Mapping[str, Member]
    weight_of_failures: float
    answers: Sequence[Answer]


def answered(evaluations: Sequence[Evaluation]) -> Answers:
    """Return what the evaluations say, of which the internal test comes first."""
    compared = evaluations[0].compared
    return Answers(
        failures={name: of for name, of in compared.members.items() if of.validation.verdict != "better"},
        weight_of_failures=compared.guessing_weight,
        answers=[_answer(each) for each in evaluations],
    )


def as_markdown(evaluations: Sequence[Evaluation]) -> str:
    """Return the answers in Markdown."""
    return render(__name__, "answer.md", answers=answered(evaluations)).strip()


def _answer(evaluation: Evaluation) -> Answer:
    compared = evaluation.compared
    studys = compared.weightings["accuracy"]
    return Answer(
        evaluation=evaluation,
        accuracy=compared.detectors[ENSEMBLE].accuracy,
        guessing=compared.guessing[ENSEMBLE],
        question=compared.question,
        best_here={metric: _better_here(evaluation, metric) for metric in compared.question},
        shares=compared.shares,
        decisions=studys.decisions_unlike_uniform if isinstance(studys, Weighting) else 0,
        best=compared.best_weights.less_uniform if compared.best_weights else None,
        drop=evaluation.drop.drops[ENSEMBLE].accuracy.drop if evaluation.drop else None,
        calibration=compared.calibration[ENSEMBLE],
        members_certainty=compared.members_certainty,
    )


def _better_here(evaluation: Evaluation, metric: Tested) -> str | None:
    compared = evaluation.compared
    best, chosen = compared.best_here[metric], compared.question[metric].contrast.second
    values = [getattr(compared.detectors[name], metric).value for name in (best, chosen)]
    return best if values[0] != values[1] else None
