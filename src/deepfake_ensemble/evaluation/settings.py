"""What may vary in measuring, as params.yaml holds it."""

from typing import Annotated

from annotated_types import Ge, Gt, Lt

from deepfake_ensemble.foundation.section import INTERNAL, Seed, section


@section
class EvaluationParams:
    """The section `evaluation`.

    Attributes:
        threshold: an image is called fake from this P(fake) up.
        ece_bins: equal-width bins of the expected calibration error.
        curve_points: of a stored ROC or precision–recall curve, at most.
    """

    threshold: Annotated[float, Gt(0), Lt(1)]
    ece_bins: Annotated[int, Ge(2)]
    curve_points: Annotated[int, Ge(10)]


@section
class ComparisonParams:
    """The section `comparison`.

    Attributes:
        resamples: bootstrap resamples behind each interval.
        confidence: of all intervals.
        seed: of the resamples.
    """

    resamples: Annotated[int, Ge(100)]
    confidence: Annotated[float, Gt(0.5), Lt(1)]
    seed: Seed


def split_of(evaluation: str) -> str:
    """Return the split that an evaluation measures: test for INTERNAL, else the one of its data set."""
    return "test" if evaluation == INTERNAL else evaluation
