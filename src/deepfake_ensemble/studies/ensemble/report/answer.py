"""The study's question answered from its figures: does weighted averaging help?

What may be said follows the rules of `comparison.verdicts`; the words are in templates/answer.jinja.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepfake_ensemble.comparison.comparison import Calibration, Member, Weighting
from deepfake_ensemble.comparison.guessing import Guessing
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.verdicts import Finding, Verdict
from deepfake_ensemble.evaluation.weighting import Method
from deepfake_ensemble.pages.rendering import render
from deepfake_ensemble.studies.ensemble.report.study import Evaluation


@dataclass(frozen=True)
class Answer:
    """What one data set says of the ensemble, or of the only detector that there is.

    Attributes:
        evaluation: of the data set.
        rival: the member that is the best on validation; None where it is not the same by every metric.
        accuracy: its.
        guessing: whether it tells the classes apart there.
        question: by metric, against the member that is the best on validation.
        best_here: by metric, the member that is better on these images; None where none is.
        shares: the study's weights against equal ones, by metric; None where accuracies give none.
        decisions: how many images these decide otherwise.
        best: weights fitted on these images against equal ones, by metric; None where a class has one image.
        drop: what it loses from the internal test; None for that itself.
        calibration: its.
        members_certainty: that of the members, weighted.
    """

    evaluation: Evaluation
    rival: str | None
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

    @property
    def question_of_no_use(self) -> list[Tested]:
        return of_no_use(self.question, self.evaluation)

    @property
    def shares_of_no_use(self) -> list[Tested]:
        return of_no_use(self.shares or {}, self.evaluation)

    @property
    def question_by_verdict(self) -> dict[Verdict, list[Finding]]:
        return by_verdict(self.question)

    @property
    def shares_by_verdict(self) -> dict[Verdict, list[Finding]]:
        return by_verdict(self.shares or {})


@dataclass(frozen=True)
class Answers:
    """All that is said of the question.

    Attributes:
        weighting: by which the ensemble averages.
        failures: members that may be guessing on validation, or do worse.
        weight_of_failures: what they count in the ensemble together.
        answers: the internal test's first.
    """

    weighting: Method
    failures: Mapping[str, Member]
    weight_of_failures: float
    answers: Sequence[Answer]


def answered(evaluations: Sequence[Evaluation], weighting: Method) -> Answers:
    """Return what the evaluations say, of which the internal test comes first."""
    compared = evaluations[0].compared
    return Answers(
        weighting=weighting,
        failures={name: of for name, of in compared.members.items() if of.validation.verdict != "better"},
        weight_of_failures=compared.guessing_weight,
        answers=[_answer(each) for each in evaluations],
    )


def of_no_use(findings: Mapping[Tested, Finding], evaluation: Evaluation) -> list[Tested]:
    """Return the metrics by which the ensemble gains something that is of no use, as even with it the
    ensemble is not shown to do better than guessing or, by log loss, does no better than a constant answer.

    Args:
        findings: by metric, of the ensemble against something else.
        evaluation: of the data set.
    """
    guessing = evaluation.compared.guessing[evaluation.subject]

    def useless(of: Finding) -> bool:
        if of.contrast.metric == "log_loss":
            return of.contrast.first_value >= evaluation.compared.constant.log_loss
        return (guessing.verdict if of.contrast.metric == "accuracy" else guessing.ranks) != "better"

    gained = {name: of for name, of in findings.items() if of.verdict in ("helps", "helps little")}
    return [name for name, of in gained.items() if useless(of)]


def by_verdict(findings: Mapping[Tested, Finding]) -> dict[Verdict, list[Finding]]:
    """Return findings of one verdict together, in their order."""
    found: dict[Verdict, list[Finding]] = {}
    for of in findings.values():
        found.setdefault(of.verdict, []).append(of)
    return found


def as_markdown(evaluations: Sequence[Evaluation], weighting: Method) -> str:
    """Return the answers in Markdown."""
    return render(__name__, "answer.md", answers=answered(evaluations, weighting)).strip()


def in_short(evaluations: Sequence[Evaluation], weighting: Method) -> str:
    """Return how much is right on each data set, and which members may be guessing, in two sentences."""
    return render(__name__, "in_short.md", answers=answered(evaluations, weighting)).strip()


def _answer(evaluation: Evaluation) -> Answer:
    compared = evaluation.compared
    studys = compared.weightings["accuracy"]
    rivals = {of.contrast.second for of in compared.question.values()}
    return Answer(
        evaluation=evaluation,
        rival=rivals.pop() if len(rivals) == 1 else None,
        accuracy=compared.detectors[evaluation.subject].accuracy,
        guessing=compared.guessing[evaluation.subject],
        question=compared.question,
        best_here={metric: _better_here(evaluation, metric) for metric in compared.question},
        shares=compared.shares,
        decisions=studys.decisions_unlike_uniform if isinstance(studys, Weighting) else 0,
        best=compared.best_weights.less_uniform if compared.best_weights else None,
        drop=evaluation.drop.drops[evaluation.subject].accuracy.drop if evaluation.drop else None,
        calibration=compared.calibration[evaluation.subject],
        members_certainty=compared.members_certainty,
    )


def _better_here(evaluation: Evaluation, metric: Tested) -> str | None:
    compared = evaluation.compared
    best, chosen = compared.best_here[metric], compared.question[metric].contrast.second
    values = [getattr(compared.detectors[name], metric).value for name in (best, chosen)]
    return best if values[0] != values[1] else None
