"""How tests measure detectors: params.yaml's own settings, but for what a test says."""

from dataclasses import replace
from typing import Any

from deepfake_ensemble.comparison.comparison import Settings
from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams, Margins

MEASURING = EvaluationParams(threshold=0.5, ece_bins=15, curve_points=200, smallest_probability=2.0**-52)
COMPARING = ComparisonParams(
    resamples=200,
    confidence=0.95,
    seed=42,
    power=0.8,
    margins=Margins(accuracy=0.01, auc=0.01, log_loss=0.02),
    prevalences=[0.5, 0.1],
)


def settings(**changes: Any) -> Settings:
    """Return the settings with changes of either section's keys."""
    of_measuring = {key: value for key, value in changes.items() if hasattr(MEASURING, key)}
    of_comparing = {key: value for key, value in changes.items() if hasattr(COMPARING, key)}
    assert of_measuring.keys() | of_comparing.keys() == changes.keys()
    return Settings(replace(MEASURING, **of_measuring), replace(COMPARING, **of_comparing))
