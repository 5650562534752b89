"""The ensemble's model card (Mitchell et al. 2019): what it is for, what it does, and where it fails."""

from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.studies.ensemble.report.answer import answered
from deepfake_ensemble.studies.ensemble.report.implications import THRESHOLDS, implications
from deepfake_ensemble.studies.ensemble.report.study import Study


def render(study: Study) -> str:
    """Return the card as Markdown."""
    answers = answered(study.evaluations, study.settings.weighting)
    return rendered(
        __name__,
        "model_card.md",
        study=study,
        answers=answers,
        implications=implications(study),
        THRESHOLDS=THRESHOLDS,
    )
