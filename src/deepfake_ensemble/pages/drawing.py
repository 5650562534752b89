"""Matplotlib figures as SVG for a page: one style for each detector, the same bytes from the same figures.

Letters are outlines, so that a figure looks alike everywhere; what is drawn in INK takes the colour of the
page's text, dark on paper and light on a dark screen.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.titles import title

# Stands for the colour of the text, which is dark on white paper and light on a dark screen.
INK = "#010203"

# Inches of a figure that stands beside another, and the width of one that stands alone.
HALF = (3.9, 3.5)
FULL = 8.0

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "deepfake-ensemble",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 3.2,
    "hatch.color": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True)
class PlotStyle:
    """How a detector is drawn: told apart by colour, dashes and marker, each by itself."""

    colour: str
    dashes: tuple[float, tuple[float, ...]] | str
    marker: str
    width: float = 1.3


# Okabe & Ito's colours (2008), which the colour-blind can tell apart; first those that stand out on white
# paper and dark screens alike.
_STYLES = (
    PlotStyle("#0072B2", (0, (5, 1.5)), "o"),
    PlotStyle("#D55E00", (0, (1, 1)), "s"),
    PlotStyle("#009E73", (0, (5, 1.5, 1, 1.5)), "^"),
    PlotStyle("#CC79A7", (0, (2.5, 1.5)), "D"),
    PlotStyle("#E69F00", (0, (8, 2)), "v"),
    PlotStyle("#56B4E9", (0, (3, 1, 1, 1, 1, 1)), "P"),
)
_OWN = {"cnn": 0, "resnet50": 1, "xception": 2, "efficientnet_b4": 3}
_ENSEMBLE_STYLE = PlotStyle(INK, "-", "X", width=2.0)


def plot_styles(detectors: Sequence[str]) -> Mapping[str, PlotStyle]:
    """Return each detector's style: the study's have their own, others take what is left, in turn."""
    others = [name for name in detectors if name not in _OWN and name != ENSEMBLE]
    number = _OWN | {name: len(_OWN) + i for i, name in enumerate(others)}
    return {
        name: _ENSEMBLE_STYLE if name == ENSEMBLE else _STYLES[number[name] % len(_STYLES)]
        for name in detectors
    }


@contextmanager
def styled() -> Iterator[None]:
    """Draw in our style, whatever a user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def empty(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """Return a figure of so many inches, and its axes as `Figure.subplots` gives them."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def svg(figure: Figure, name: str) -> str:
    """Return a figure for the page; `name` keeps its identifiers apart from other figures'.

    Args:
        figure: drawn within `styled`.
        name: unlike that of any other figure on the page.

    Returns:
        The element `svg`: INK is `currentColor`, and there is no date, host or random identifier in it.
    """
    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata=_NO_METADATA)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->\n?| *<metadata>.*?</metadata>\n?", "", text, flags=re.DOTALL)
    text = re.sub(r"^ +", "", text, flags=re.MULTILINE)  # indentation would be a fifteenth of the page
    # A hundredth of a point is finer than print, and hides last bits in which processors may differ. The
    # number after a bracket may scale letters and stays.
    text = re.sub(r"(?<![\d(])\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", text)
    ids = dict.fromkeys(re.findall(r' id="([^"]+)"', text))
    short = {old: f"{name}-{number}" for number, old in enumerate(ids)}
    text = re.sub(r'( id="|href="#|url\(#)([^")]+)', lambda found: found[1] + short[found[2]], text)
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    head = f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
    return (head + text[text.index(">") + 1 :]).replace(INK, "currentColor").strip()


def line(
    axes: Axes, name: str, style: PlotStyle, x: Sequence[float], y: Sequence[float], **more: Any
) -> None:
    """Draw a detector's line in its style.

    Args:
        axes: to draw on.
        name: the detector's key; the legend has its title.
        style: one of `plot_styles`.
        x: of each point.
        y: of each point.
        more: for `Axes.plot`.
    """
    axes.plot(
        x, y, color=style.colour, linestyle=style.dashes, linewidth=style.width, label=title(name), **more
    )
