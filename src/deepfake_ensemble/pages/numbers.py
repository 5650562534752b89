"""Figures as text, each with the value it stands for, which a JSON file beside the page holds.

A template shows them as they are: in HTML each keeps its value, in Markdown it is its text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Literal, Protocol

# Which signs are shown: of negative figures, of both kinds, of none where words say which way it goes.
Sign = Literal["minus", "both", "never"]

PERCENT = "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class Number:
    """A value as a JSON file beside the page holds it, and what is shown of it."""

    value: float
    text: str

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> str:
        return f'<data value="{self.value!r}">{escape(self.text, quote=False)}</data>'


class Bounded(Protocol):
    """A figure and the ends of its interval, as `comparison.intervals.Interval` has them."""

    @property
    def value(self) -> float: ...
    @property
    def ci_low(self) -> float | None: ...
    @property
    def ci_high(self) -> float | None: ...


@dataclass(frozen=True)
class Range:
    """A figure with its interval, below it in small print, or in brackets; without, where its ends are
    unknown."""

    value: Number
    low: Number | None
    high: Number | None

    @property
    def ends(self) -> tuple[Number, str, Number] | None:
        if self.low is None or self.high is None:
            return None
        signed = any(sign in end.text for end in (self.low, self.high) for sign in "+−")
        return self.low, " to " if signed else "–", self.high

    def __str__(self) -> str:
        return str(self.value) if self.ends is None else f"{self.value} ({''.join(map(str, self.ends))})"

    def __html__(self) -> str:
        if self.ends is None:
            return f"{self.value.__html__()}<small>not known</small>"
        low, between, high = self.ends
        return f"{self.value.__html__()}<small>{low.__html__()}{between}{high.__html__()}</small>"


def interval(figure: Bounded | None, show: Callable[..., Number], *digits: int) -> Range | None:
    """Show a figure with its interval; nothing for None.

    Args:
        figure: a value and the ends of its interval.
        show: one of the functions below, by which all three are shown.
        digits: for `show`.
    """
    if figure is None:
        return None
    low, high = (optional(end, show, *digits) for end in (figure.ci_low, figure.ci_high))
    return Range(show(figure.value, *digits), low, high)


def optional(value: float | None, show: Callable[..., Number], *digits: int) -> Number | None:
    """Show a figure that may be undefined."""
    return None if value is None else show(value, *digits)


def decimals(images: int) -> int:
    """Return how many decimals a share of so many images is shown with."""
    return 3 if images < 2_000 else 4


def share(value: float, digits: int = 3) -> Number:
    """Show a figure between 0 and 1."""
    return Number(value, _fixed(value, digits))


def percent(value: float, digits: int = 3, unit: str = PERCENT) -> Number:
    """Show a share in percent, to the same place as `share`."""
    return Number(value, f"{_fixed(100 * value, digits - 2)}{unit}")


def points(value: float, digits: int = 3, sign: Sign = "both") -> Number:
    """Show a difference of shares in percentage points, to the same place as `share`."""
    return Number(value, _fixed(100 * value, digits - 2, sign))


def difference(value: float, digits: int = 3, sign: Sign = "both") -> Number:
    """Show a difference with its sign."""
    return Number(value, _fixed(value, digits, sign))


def count(value: float) -> Number:
    """Show a whole number."""
    return Number(value, f"{value:,.0f}")


def given(value: float) -> Number:
    """Show a parameter as params.yaml has it."""
    return Number(value, str(value))


def p_value(value: float) -> Number:
    """Show a p-value, the smallest as less than 0.001."""
    return Number(
        value, "<\N{NO-BREAK SPACE}0.001" if value < 0.001 else f"{value:.3f}" if value < 1 else "1"
    )


def plain(value: float, digits: int = 3) -> Number:
    """Show any figure to so many significant digits, whole numbers in full."""
    if value == int(value) and abs(value) < 1e15:
        return Number(value, f"{int(value):,}".replace("-", "−"))
    if not 1e-4 <= abs(value) < 1e5:
        return Number(value, f"{value:.{digits - 1}e}".replace("-", "−"))
    places = max(0, digits - 1 - _magnitude(value))
    return Number(value, _fixed(value, places))


def _magnitude(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _fixed(value: float, places: int, sign: Sign = "minus") -> str:
    text = f"{abs(value):.{places}f}"
    if not text.strip("0.") or sign == "never":
        return text  # neither +0.0 nor -0.0
    return ("−" if value < 0 else "+" if sign == "both" else "") + text
