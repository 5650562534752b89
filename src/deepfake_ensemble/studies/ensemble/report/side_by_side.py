"""Figures drawn side by side: drawing is most of the report's work, and Matplotlib keeps one core busy."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from deepfake_ensemble.portable import processes

T = TypeVar("T")


def side_by_side(draw: Callable[[T], str], of: Sequence[T]) -> list[str]:
    """Return what `draw` makes of each: of the first here, of each other one in a fork of this process.

    Raises:
        UserError: if one of them was killed.
        RuntimeError: if one of them failed; it has then printed how.
    """
    first, *others = of
    drawing: list[processes.Beside] = []
    try:
        for each in others:
            drawing.append(processes.begun("fork", "draws a figure", draw, each))
        return [draw(first), *map(processes.result, drawing)]
    finally:
        for beside in drawing:
            processes.end(beside)
