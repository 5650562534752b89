"""What `info` tells."""

import textwrap
from collections.abc import Iterator

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.portable.metadata import DataSetResults, ModelMetadata
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.verdicts import decision_rule, told

_METRICS = ("accuracy", "precision", "recall", "f1", "auc")


def as_text(metadata: ModelMetadata) -> str:
    """Return a model file's metadata as text for people."""
    return "\n".join(_lines(metadata)) + "\n"


def _lines(metadata: ModelMetadata) -> Iterator[str]:
    if metadata.demonstration:
        yield from _wrapped(wording.DEMONSTRATION)
        yield ""
    if not metadata.measured:
        yield from _wrapped(wording.CHANGED)
        yield ""
    members = ", ".join(f"{title(name)} {weight:.3f}" for name, weight in metadata.weights.items())
    decides = told(metadata)[-1]
    alone = None if decides == ENSEMBLE else title(decides)
    for name, text in {
        "model": alone or f"weighted average of {members}",
        "trained on": f"{metadata.trained_on} (profile {metadata.profile})",
        "input": f"RGB images, brought to {metadata.image_size} pixels a side ({metadata.interpolation})",
        "output": "P(fake): " + ", ".join(f"{label} is {name}" for label, name in metadata.labels.items()),
        "kept as": f"{metadata.weights_kept_as}; within {metadata.parity:.1e} of the stored predictions",
        "licence": metadata.licence,
        "fingerprint": str(metadata.fingerprint.get("digest", "none")),
    }.items():
        yield from textwrap.wrap(text, 100, initial_indent=f"{name:<12} ", subsequent_indent=" " * 13)
    yield ""
    yield "Operating points" if alone else "Operating points of the ensemble"
    for name, threshold in metadata.operating_points[decides].items():
        yield f"  {name:<16} {'too few validation images' if threshold is None else f'{threshold:.4f}'}"
    yield ""
    yield from (line for text in wording.errors(decision_rule(metadata, decides)) for line in _wrapped(text))
    for measured in metadata.measured:
        yield ""
        yield from _metrics(measured)
    yield ""
    yield from (line for text in wording.unlike(metadata) for line in _wrapped(text))
    yield ""
    yield "Limits"
    for limit in metadata.limits:
        yield from textwrap.wrap(limit, 100, initial_indent="  - ", subsequent_indent="    ")


def _metrics(measured: DataSetResults) -> Iterator[str]:
    interval = f"{round(100 * measured.confidence)} % intervals"
    yield from _wrapped(f"On {wording.where(measured)}, with {interval}")
    width = max(16, *(len(title(name)) + 2 for name in measured.detectors))
    yield "  " + f"{'detector':<{width}}" + "".join(f"{name:<22}" for name in _METRICS).rstrip()
    for name, detector in told_once(measured.detectors).items():
        cells = "".join(f"{_figure(detector.metrics.get(metric)):<22}" for metric in _METRICS)
        yield f"  {title(name):<{width}}{cells.rstrip()}"


def _figure(figure: Interval | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.value:.3f}" + ("" if figure.ci_low is None else " ({:.3f}-{:.3f})".format(*figure.ends))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110)
