"""The section on what mistakes look like: does the paper's explanation of them hold?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from deepfake_ensemble.mistakes.contrasts import Group, Look, Looks, MeasureContrast
from deepfake_ensemble.pages.rendering import Figure, Section
from deepfake_ensemble.studies.residual.report import figures, paper
from deepfake_ensemble.studies.residual.report.study import Study

# What a test says of one class.
Said = Literal["shown", "the opposite is shown", "not shown", "cannot be told"]
# What its classes together say of a claim.
Holds = Literal["holds", "holds in part", "is contradicted", "is not shown", "cannot be told"]


@dataclass(frozen=True)
class Part:
    """A claim about one class: the test behind it, and what follows."""

    kind: str
    more: bool
    contrast: MeasureContrast
    said: Said


@dataclass(frozen=True)
class Answer:
    """A claim of the paper and what this run says of it."""

    claim: paper.Claim
    parts: Sequence[Part]

    @property
    def holds(self) -> Holds:
        """What follows for the claim: as much as is shown of it for every class that it is about."""
        said = {part.said for part in self.parts}
        if said == {"shown"}:
            return "holds"
        if "shown" in said:
            return "holds in part"
        if "the opposite is shown" in said:
            return "is contradicted"
        return "cannot be told" if said == {"cannot be told"} else "is not shown"


@dataclass(frozen=True)
class RunsLook:
    """What one run's mistakes look like.

    Attributes:
        run: which.
        look: as measured.
        answers: to the paper's claims; none of a run that has no more F1 than calling everything fake, whose
            mistakes are those of guessing.
        fifths: a figure of the shares got wrong.
    """

    run: str
    look: Look
    answers: Sequence[Answer]
    fifths: Figure

    def how_many(self, holds: Holds) -> int:
        """Return of how many claims so much holds."""
        return sum(answer.holds == holds for answer in self.answers)


def section(study: Study) -> Section:
    """Return the section."""
    view = [
        RunsLook(
            run,
            look,
            answers(study.looks, run) if study.learnt(run) else [],
            Figure(
                Markup(figures.wrong_by_fifth(run, look)),
                "The share of each class that it gets wrong, by fifths of the class, from the one with the"
                " least of a measure to the one with the most, with intervals.",
                wide=True,
            ),
        )
        for run, look in study.looks.runs.items()
    ]
    return Section("What mistakes look like", "look_of_mistakes.html", view)


def answers(looks: Looks, run: str) -> list[Answer]:
    """Return what a run says of the paper's claims."""
    alpha = 1 - looks.confidence

    def part(group: Group, kind: str, claim: paper.Claim) -> Part:
        contrast, more = group.contrasts[claim.measure], claim.wrong_has_more[kind]
        return Part(kind, more, contrast, _said(contrast, more, alpha))

    classes = looks.runs[run].classes
    return [
        Answer(claim, [part(classes[kind], kind, claim) for kind in claim.wrong_has_more])
        for claim in paper.MISTAKES
    ]


def _said(contrast: MeasureContrast, more: bool, alpha: float) -> Said:
    if contrast.wrong_has_more is None or contrast.p_holm is None:
        return "cannot be told"
    if contrast.p_holm >= alpha:
        return "not shown"
    return "shown" if (contrast.wrong_has_more.value > 0.5) == more else "the opposite is shown"
