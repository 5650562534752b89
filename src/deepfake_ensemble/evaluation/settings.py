"""What may vary in measuring, as params.yaml holds it."""

from typing import Annotated

from annotated_types import Ge, Gt, Lt, MinLen

from deepfake_ensemble.evaluation.probabilities import SMALLEST
from deepfake_ensemble.foundation.section import INTERNAL, Seed, section


@section
class EvaluationParams:
    """The section `evaluation`.

    Attributes:
        threshold: an image is called fake from this P(fake) up.
        ece_bins: equal-width bins of the expected calibration error.
        curve_points: of a stored ROC or precision–recall curve, at most.
        smallest_probability: that log loss counts, and that is scaled by a temperature.
    """

    threshold: Annotated[float, Gt(0), Lt(1)]
    ece_bins: Annotated[int, Ge(2)]
    curve_points: Annotated[int, Ge(10)]
    smallest_probability: Annotated[float, Ge(SMALLEST), Lt(0.5)]


@section
class Margins:
    """The section `comparison.margins`.

    Attributes:
        accuracy: as a share.
        auc: of AUC.
        log_loss: in nats.
    """

    accuracy: Annotated[float, Gt(0), Lt(1)]
    auc: Annotated[float, Gt(0), Lt(1)]
    log_loss: Annotated[float, Gt(0)]


@section
class ComparisonParams:
    """The section `comparison`.

    Attributes:
        resamples: bootstrap resamples behind each interval.
        confidence: of all intervals.
        seed: of the resamples.
        power: with which a difference is to be found where there is one.
        margins: differences up to these make none, by metric.
        prevalences: shares of fakes for which predictive values are given.
    """

    resamples: Annotated[int, Ge(100)]
    confidence: Annotated[float, Gt(0.5), Lt(1)]
    seed: Seed
    power: Annotated[float, Gt(0.5), Lt(1)]
    margins: Margins
    prevalences: Annotated[list[Annotated[float, Gt(0), Lt(1)]], MinLen(1)]


def split_of(evaluation: str) -> str:
    """Return the split that an evaluation measures: test for INTERNAL, else the one of its data set."""
    return "test" if evaluation == INTERNAL else evaluation
