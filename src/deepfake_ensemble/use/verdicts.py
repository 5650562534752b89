"""From a probability to a verdict, and how often such verdicts were wrong where the truth was known."""

from dataclasses import dataclass

from deepfake_ensemble.comparison.intervals import Interval, wilson
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.portable.metadata import DEFAULT, CalibrationBin, DataSetResults, ModelMetadata

_SAME = 1e-9


@dataclass(frozen=True)
class ErrorRates:
    """How often a rule was wrong on one data set.

    Attributes:
        measured: the data set.
        reals_called_fake: the share of its real images that the rule calls fake (false positive rate).
        fakes_called_real: the share of its fakes that it calls real (false negative rate).
    """

    measured: DataSetResults
    reals_called_fake: Interval
    fakes_called_real: Interval


@dataclass(frozen=True)
class DecisionRule:
    """What makes a verdict out of a probability.

    Attributes:
        detector: who decides.
        threshold: from which P(fake) on an image is called fake.
        errors: how often that was wrong, the internal test first; none if nothing is known.
    """

    detector: str
    threshold: float
    errors: tuple[ErrorRates, ...]

    def verdict(self, p_fake: float) -> str:
        return "fake" if p_fake >= self.threshold else "real"

    @property
    def internal(self) -> ErrorRates | None:
        """What was measured on the internal test; None where nothing is known of this graph."""
        return self.errors[0] if self.errors else None

    @property
    def worst(self) -> ErrorRates | None:
        """What was measured where the rule did worst, real images and fakes counting alike."""
        return max(
            self.errors,
            key=lambda each: each.reals_called_fake.value + each.fakes_called_real.value,
            default=None,
        )


def told(metadata: ModelMetadata) -> tuple[str, ...]:
    """Return the detectors of a file that results tell of: its members and, last, their ensemble.

    The last decides unless another is asked to. An ensemble of one member would say the same twice.
    """
    return tuple(told_once(dict.fromkeys(metadata.detectors)))


def shown(metadata: ModelMetadata, rule: DecisionRule) -> tuple[str, ...]:
    """Return the detectors that are told of where a rule decides: all, or the member that was asked for."""
    everyone = told(metadata)
    return everyone if rule.detector == everyone[-1] else (rule.detector,)


def decision_rule(metadata: ModelMetadata, detector: str, threshold: str = DEFAULT) -> DecisionRule:
    """Return the rule by which a detector decides, with its error rates.

    Args:
        metadata: of the model file.
        detector: who decides: a member, or the ensemble, which one member alone stands for.
        threshold: a number, or the name of an operating point.

    Raises:
        UserError: if there is no such detector or operating point, or its errors were not measured.
    """
    if detector == ENSEMBLE:
        detector = told(metadata)[-1]
    if detector not in metadata.detectors:
        raise UserError(f"--model {detector}: this file has {', '.join(told(metadata))}")
    points = metadata.operating_points[detector]
    if threshold in points:
        chosen = points[threshold]
        if chosen is None:
            raise UserError(f"--threshold {threshold}: there were too few validation images to set it")
        return DecisionRule(detector, chosen, _errors(metadata, detector, chosen))
    try:
        number = float(threshold)
    except ValueError:
        named = ", ".join(name for name, value in points.items() if value is not None)
        raise UserError(f"--threshold {threshold}: neither a number nor one of {named}") from None
    return DecisionRule(detector, number, _errors(metadata, detector, number))


def _errors(metadata: ModelMetadata, detector: str, threshold: float) -> tuple[ErrorRates, ...]:
    found = []
    for measured in metadata.measured:
        counts = measured.detectors[detector].called_fake
        at = [i for i, known in enumerate(counts.thresholds) if abs(known - threshold) < _SAME]
        if not at:
            raise UserError(
                f"--threshold {threshold}: its errors were not measured; take a multiple of 0.01 between"
                f" {counts.thresholds[0]} and {counts.thresholds[-1]}, or an operating point by its name"
            )
        found.append(
            ErrorRates(
                measured,
                reals_called_fake=wilson(counts.reals[at[0]], measured.n_real, measured.confidence),
                fakes_called_real=wilson(
                    measured.n_fake - counts.fakes[at[0]], measured.n_fake, measured.confidence
                ),
            )
        )
    return tuple(found)


def calibration_bin(metadata: ModelMetadata, detector: str, p_fake: float) -> CalibrationBin | None:
    """Return what such probabilities meant on the internal test; None if it had none like it."""
    bins = metadata.measured[0].detectors[detector].calibration if metadata.measured else ()
    fitting = [each for each in bins if each.low <= p_fake < each.high or p_fake == each.high == 1]
    return fitting[0] if fitting else None
