"""What stands in a table's cell: figures with their intervals, and what to say where there is none."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deepfake_ensemble.pages.html import Child, element
from deepfake_ensemble.pages.numbers import Number, count, given


def interval(figure: Mapping[str, float] | None, show: Callable[..., Number], *digits: int) -> Child:
    """Show a figure with its interval below it in small print; nothing for None."""
    if figure is None:
        return None
    ends = [show(figure[end], *digits) for end in ("ci_low", "ci_high")]
    signed = any(sign in end.text for end in ends for sign in "+−")
    between = " to " if signed else "–"
    return [show(figure["value"], *digits), element("small", ends[0], between, ends[1])]


def optional(value: float | None, show: Callable[..., Number], *digits: int) -> Number | None:
    """Show a figure that may be undefined."""
    return None if value is None else show(value, *digits)


def or_reason(of: Mapping[str, Any], key: str, show: Callable[..., Number], *digits: int) -> Child:
    """Show of[key], or where it is None the reason that stands beside it."""
    return element("small", of.get("reason")) if of[key] is None else show(of[key], *digits)


def histogram(counts: Mapping[str, int]) -> Child:
    """Show how many images there are of each kind."""
    return listed([[f"{name}: ", count(images)] for name, images in counts.items()])


def listed(items: Sequence[Child]) -> Child:
    """Show items with commas between them."""
    return [[", " if i else "", item] for i, item in enumerate(items)] or "none"


def setting(value: Any) -> Child:
    """Show a parameter as params.yaml could hold it."""
    if isinstance(value, list):
        return listed([setting(item) for item in value])
    if isinstance(value, bool | None):
        return json.dumps(value)
    return given(value) if isinstance(value, int | float) else str(value)


def flat(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested parameters by their dotted names."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
