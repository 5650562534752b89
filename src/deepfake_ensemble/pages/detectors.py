"""Which detectors pages tell of."""

from collections.abc import Mapping
from typing import TypeVar

from deepfake_ensemble.evaluation.weighting import ENSEMBLE

T = TypeVar("T")


def told_once(by_detector: Mapping[str, T]) -> dict[str, T]:
    """Return what belongs to each detector; an ensemble of one member, which would say it again, goes."""
    return {name: of for name, of in by_detector.items() if name != ENSEMBLE or len(by_detector) > 2}
