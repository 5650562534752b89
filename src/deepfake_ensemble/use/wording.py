"""Sentences that go with a verdict, the same on the command line and on the page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.pages.titles import place, title
from deepfake_ensemble.portable.metadata import DataSetResults, ModelMetadata
from deepfake_ensemble.use.verdicts import DecisionRule, calibration_bin

DEMONSTRATION = (
    "Demonstration models: trained on small synthesised images to show that everything works. What they say"
    " of your images means nothing."
)

CHANGED = (
    "Nothing shows that the network in this model file is the one that was measured: a tool changed it and"
    " left the account of it as it was, or the file is older than this check. So no error rates are given;"
    " `dvc repro export` makes a file that is measured."
)


SEVERAL = (
    "Of several faces in an image, the one most likely fake decides; the more faces there are, the likelier"
    " it is that a real one among them is called fake. The error rates are those of single faces."
)


STATEMENTS = (
    "What a file says of itself was written by whoever made it or had it since; it can be missing, removed or"
    " forged, and does not enter P(fake)."
)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def with_interval(figure: Interval) -> str:
    low, high = figure.ends
    return f"{percent(figure.value)} ({100 * low:.1f} to {100 * high:.1f})"


def where(measured: DataSetResults) -> str:
    """Return what stands after "on"."""
    return f"{place(measured.name)} ({measured.data}; {measured.n_real + measured.n_fake:,} images)"


def errors(rule: DecisionRule) -> Iterator[str]:
    """Say how often the rule was wrong, a sentence for each data set."""
    for each in rule.errors:
        yield (
            f"From P(fake) {rule.threshold:.4g} on, {title(rule.detector)} called"
            f" {with_interval(each.reals_called_fake)} of the real images fake and"
            f" {with_interval(each.fakes_called_real)} of the fakes real on {where(each.measured)};"
            f" in brackets, {round(100 * each.measured.confidence)} % intervals."
        )


def meaning(metadata: ModelMetadata, detector: str, p_fake: float) -> str:
    """Say what such a probability meant where the truth was known."""
    if not metadata.measured:
        return "What it means was not measured."
    measured = metadata.measured[0]
    found = calibration_bin(metadata, detector, p_fake)
    if found is None:
        return f"No image of {place(measured.name)} got such a P(fake): what it means was not measured."
    share = found.share_fake
    low, high = share.ends
    return (
        f"Of the {found.n:,} images of {place(measured.name)} with a P(fake) of {found.low:.2f} to"
        f" {found.high:.2f}, {percent(share.value)} were fake ({round(100 * measured.confidence)} % interval:"
        f" {100 * low:.0f} to {100 * high:.0f} %)."
    )


def statement(said: Mapping[str, Any]) -> str:
    """Return a statement of a file, and where it stands."""
    return f"{said['text']} ({said['place']})"


def unlike(metadata: ModelMetadata) -> Iterator[str]:
    """Say what it means that an image is flagged, a sentence or two for each of both scores."""
    usual = percent(metadata.typical.quantile)
    yield (
        f"Unlike training by its pixels: brightness, contrast, colour or detail lie outside what {usual} of"
        f" the validation images have.{_flagged(metadata, lambda each: each.unlike_pixels)} What the picture"
        " shows does not count."
    )
    yield (
        "Unlike training by its features: what the networks make of it lies farther from the validation"
        f" images than {usual} of these do.{_flagged(metadata, lambda each: each.unlike_features)} An image"
        " without either flag can be just as foreign."
    )


def _flagged(metadata: ModelMetadata, share: Callable[[DataSetResults], Interval]) -> str:
    found = [f"{percent(share(each).value)} on {place(each.name)}" for each in metadata.measured]
    return f" Flagged were {' and '.join(found)}." if found else ""
