"""Figures drawn side by side: drawing is most of the report's work, and Matplotlib keeps one core busy."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from deepfake_ensemble import processes

T = TypeVar("T")


def side_by_side(draw: Callable[[T], str], of: Sequence[T]) -> list[str]:
    """Return what `draw` makes of each: of the first here, of each other one in a fork of this process.

    Raises:
        UserError: if one of them was killed.
    """
    first, *others = of
    drawing = [processes.begun("fork", "draws a figure", draw, each) for each in others]
    return [draw(first), *map(processes.result, drawing)]
