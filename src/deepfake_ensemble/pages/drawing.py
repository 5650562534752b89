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

# Of the line of what is reached without looking, or without a difference.
CONSTANT: dict[str, Any] = {"color": INK, "linewidth": 0.8, "alpha": 0.4}

# Inches of a figure that stands beside another, and the width of one that stands alone.
HALF = (3.9, 3.9)
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
    text = re.sub(r' d="([^"]+)"', lambda found: f' d="{_short(found[1])}"', text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'(<use href="[^"]+") transform="translate\((\S+) 0\)"', r'\1 x="\2"', text)
    for space in re.findall(r'<path id="([^"]+)" transform="scale\(0\.015625\)"/>', text):
        text = re.sub(rf'<(path id|use href)="#?{space}"[^>]*/>\n?', "", text)
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    short = {old: f"{name}-{number}" for number, old in enumerate(sorted(referred))}
    text = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{short[found[1]]}"' if found[1] in short else "", text
    )
    text = re.sub(r'(href="|url\()#([^")]+)', lambda found: f"{found[1]}#{short[found[2]]}", text)
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    head = f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
    return (head + text[text.index(">") + 1 :]).replace(INK, "currentColor").strip()


def _short(path: str) -> str:
    """Return a path's commands without spaces and zeros that say nothing."""
    path = re.sub(r"(\.\d*?)0+(?=\s|$)", r"\1", path)
    path = re.sub(r"\.(?=\s|$)", "", path)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", path).strip()


_GLYPH = re.compile(r'<path id="([^"]+)" (d="[^"]*" transform="scale\(0\.015625\)"/>)\n?')


def with_shared_letters(page: str) -> str:
    """Return a page whose figures draw each letter from one outline, at the start of its body: a half of a
    figure would be outlines of letters that others have too.

    Args:
        page: with figures as `svg` returns them.
    """
    outlines: dict[str, str] = {}
    letter = {
        old: outlines.setdefault(outline, f"letter-{len(outlines)}") for old, outline in _GLYPH.findall(page)
    }
    if not outlines:
        return page
    page = re.sub(r"<defs>\n</defs>\n", "", _GLYPH.sub("", page))
    page = re.sub(r'href="#([^"]+)"', lambda found: f'href="#{letter.get(found[1], found[1])}"', page)
    shared = "".join(f'<path id="{name}" {outline}\n' for outline, name in outlines.items())
    head = '<svg width="0" height="0" class="letters" aria-hidden="true"><defs>'
    return page.replace("<body>\n", f"<body>\n{head}\n{shared}</defs></svg>\n", 1)


def legend_below(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """Name the lines below the axes, where they cover none."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


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
