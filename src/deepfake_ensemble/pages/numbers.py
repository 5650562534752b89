"""Figures as text, each with the value it stands for, which a JSON file beside the report holds."""

from dataclasses import dataclass
from typing import Literal

# Which signs are shown: of negative figures, of both kinds, of none where words say which way it goes.
Sign = Literal["minus", "both", "never"]

PERCENT = "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class Number:
    """A value as a JSON file beside the report holds it, and what is shown of it."""

    value: float
    text: str


def decimals(images: int) -> int:
    """Return how many decimals a share of so many images is shown with."""
    return 3 if images < 2_000 else 4


def share(value: float, digits: int = 3) -> Number:
    """Show a figure between 0 and 1."""
    return Number(value, _fixed(value, digits))


def percent(value: float, digits: int = 3) -> Number:
    """Show a share in percent, to the same place as `share`."""
    return Number(value, f"{_fixed(100 * value, digits - 2)}{PERCENT}")


def points(value: float, digits: int = 3, sign: Sign = "both") -> Number:
    """Show a difference of shares in percentage points, to the same place as `share`."""
    return Number(value, _fixed(100 * value, digits - 2, sign))


def difference(value: float, digits: int = 3) -> Number:
    """Show a difference with its sign."""
    return Number(value, _fixed(value, digits, "both"))


def count(value: float) -> Number:
    """Show a whole number."""
    return Number(value, f"{value:,.0f}")


def given(value: float) -> Number:
    """Show a parameter as params.yaml has it."""
    return Number(value, str(value))


def p_value(value: float) -> Number:
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
