"""The report as one self-contained page; each of its sections has a template and a function of `sections`."""

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.studies.ensemble.report import sections
from deepfake_ensemble.studies.ensemble.report.answer import answered
from deepfake_ensemble.studies.ensemble.report.implications import THRESHOLDS
from deepfake_ensemble.studies.ensemble.report.study import Study


def render(study: Study, flip: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> str:
    """Return the page; `flip` are a face's pixels (size, size, 3) before and after the flip."""
    return rendered(
        __name__,
        "report.html",
        study=study,
        answers=answered(study.evaluations, study.settings.weighting),
        THRESHOLDS=THRESHOLDS,
        with_intervals=sections.with_intervals(study),
        sections=sections.sections(study, flip),
    )
