"""The study's question answered from its figures: does weighted averaging help?

The words are in templates/answer.jinja.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from deepfake_ensemble.comparison.comparison import Weighting
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.evaluation.guessing import Guessing
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.rendering import render
from deepfake_ensemble.studies.ensemble.report.study import Evaluation

Verdict = Literal["helps", "hurts", "not shown"]


@dataclass(frozen=True)
class Answer:
    """What one data set says of the ensemble and its best member there.

    Attributes:
        evaluation: of the data set.
        best: the member with the highest accuracy there.
        accuracy: the ensemble's.
        gain: that less the best member's.
        p: of the paired test between the two, by Holm's correction.
        verdict: what follows.
        drop: what the ensemble loses from the internal test; None for that itself.
        may_guess: whether always the more frequent class might be right as often.
    """

    evaluation: Evaluation
    best: str
    accuracy: Interval
    gain: Interval
    p: float
    verdict: Verdict
    drop: Interval | None
    may_guess: bool


@dataclass(frozen=True)
class Weights:
    """What the study's weights change against equal ones on the internal test."""

    evaluation: Evaluation
    verdict: Verdict
    change: Interval
    decisions: int


@dataclass(frozen=True)
class Answers:
    """All that is said of the question.

    Attributes:
        failures: models that may be guessing.
        answers: the internal test's first.
        weights: None where accuracies give none.
    """

    failures: Mapping[str, Guessing]
    answers: Sequence[Answer]
    weights: Weights | None


def answered(evaluations: Sequence[Evaluation], validation: Mapping[str, Guessing]) -> Answers:
    """Return what the evaluations, of which the internal test comes first, and validation say."""
    return Answers(
        failures={model: of for model, of in validation.items() if of.at_chance},
        answers=[_answer(each) for each in evaluations],
        weights=_weights(evaluations[0]),
    )


def as_markdown(evaluations: Sequence[Evaluation]) -> str:
    """Return the answers as a paragraph, and what is said of the weights, if anything, as another."""
    answers = answered(evaluations, {})
    return render(__name__, "answer.md", answers=answers.answers, weights=answers.weights).strip()


def _answer(evaluation: Evaluation) -> Answer:
    compared, best = evaluation.compared, _best_member(evaluation)
    pair = compared.pairs[f"{ENSEMBLE}_vs_{best}"]
    gain, p = pair.difference.accuracy, pair.mcnemar.p_holm
    beyond_chance = evaluation.beyond_chance(p)
    accuracy = compared.detectors[ENSEMBLE].accuracy
    return Answer(
        evaluation=evaluation,
        best=best,
        accuracy=accuracy,
        gain=gain,
        p=p,
        verdict="not shown" if not beyond_chance else "helps" if gain.value > 0 else "hurts",
        drop=evaluation.drop.drops[ENSEMBLE].accuracy.drop if evaluation.drop else None,
        may_guess=accuracy.ci_low <= max(compared.n_fake, compared.n_real) / compared.n,
    )


def _best_member(evaluation: Evaluation) -> str:
    """Return the member with the highest accuracy on these images, the hardest one to beat."""
    figures = evaluation.compared.detectors
    return max(evaluation.members, key=lambda name: figures[name].accuracy.value)


def _weights(evaluation: Evaluation) -> Weights | None:
    studys = evaluation.compared.weightings["accuracy"]
    if not isinstance(studys, Weighting):
        return None
    change = studys.less_uniform.accuracy
    return Weights(
        evaluation=evaluation,
        verdict="helps" if change.ci_low > 0 else "hurts" if change.ci_high < 0 else "not shown",
        change=change,
        decisions=studys.decisions_unlike_uniform,
    )
