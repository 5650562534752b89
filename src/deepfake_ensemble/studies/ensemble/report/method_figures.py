"""How the study was made: its figure 3.1, the pipeline, and its figure 3.2, the flip of the training.

The flip is shown of a photograph that scikit-image carries (NASA's portrait of Eileen Collins, in the public
domain), not of the data: so the page never holds an image of a data set whose licence forbids showing it.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import BoxStyle, FancyBboxPatch
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.foundation.section import INTERNAL, Interpolation
from deepfake_ensemble.pages.drawing import FULL, INK, PlotStyle, empty, plot_styles, styled, svg
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.reading.images import resize
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.studies.ensemble.report.study import Study

# The study's five steps and where they stand, from left to right.
_STEPS = {16: "data preparation", 43: "individual models", 64: "ensemble", 82: "evaluation", 99: "analysis"}
# The rows of the splits.
_TRAIN, _VAL, _TEST, _ACROSS = 24.0, 15.5, 9.0, 3.0
_HEIGHT = 3.6
_PHOTOGRAPH, _FACE = "skimage/data/astronaut.png", (slice(0, 256), slice(96, 352))
_THIN, _THICK = PlotStyle(INK, "-", "", 0.9), PlotStyle(INK, "-", "", 1.8)


def pipeline(study: Study) -> str:
    """Draw the way from the archives to the analysis, with the data sets and models of the study."""
    with styled():
        figure, axes = empty(FULL + 1.5, 3.3)
        axes.set(xlim=(0, 107), ylim=(0, 35))
        axes.set_axis_off()
        for x, step in _STEPS.items():
            if study.is_alone and step == "ensemble":
                continue
            axes.text(x, 34.5, step, ha="center", va="top", weight="bold")
        _data(axes, study)
        _models(axes, study)
        _evaluation(axes)
        return svg(figure, "pipeline")


def _data(axes: Axes, study: Study) -> None:
    others = [archive for name, archive in study.archives.items() if name != INTERNAL]
    _box(axes, (7, _VAL), (13, _HEIGHT), study.archives[INTERNAL])
    _box(axes, (7, _ACROSS), (13, _HEIGHT), "\n".join(others))
    for split, y in (("train", _TRAIN), ("validation", _VAL), ("test", _TEST)):
        _box(axes, (25, y), (11, _HEIGHT), split)
        _arrow(axes, (13.5, _VAL), (19.2, y))
    _box(axes, (25, _ACROSS), (11, _HEIGHT), "test only")
    _arrow(axes, (13.5, _ACROSS), (19.2, _ACROSS))


def _models(axes: Axes, study: Study) -> None:
    height = 13 / len(study.models)
    for i, (model, style) in enumerate(plot_styles(study.models).items()):
        middle = (43, 30.5 - height * (i + 0.5))
        _box(axes, middle, (17, height - 0.7), title(model), PlotStyle(style.colour, "-", "", 1.8))
    _arrow(axes, (30.7, _TRAIN), (34.2, _TRAIN))
    axes.text(32.5, _TRAIN + 0.7, "flip", ha="center", size=7.5)
    _arrow(axes, (43, _VAL), (43, 17.2))
    axes.text(43.7, 16.3, "early stopping", va="center", size=7.5)
    if study.is_alone:
        axes.plot([51.8, 70.7], [_TRAIN, _TRAIN], color=INK, linewidth=0.9)
        return
    _arrow(axes, (51.8, _TRAIN), (57.2, _TRAIN))
    _arrow(axes, (30.7, _VAL), (57.2, _VAL))
    _box(axes, (64, _VAL), (13, _HEIGHT), "weights")
    _arrow(axes, (64, _VAL + 2.2), (64, _TRAIN - 2.4))
    average = "equal-weight\naverage" if study.settings.weighting == "uniform" else "weighted\naverage"
    _box(axes, (64, _TRAIN), (13, _HEIGHT), average, _THICK)


def _evaluation(axes: Axes) -> None:
    middle = (_TEST + _ACROSS) / 2
    _box(axes, (82, middle), (17, _TEST - _ACROSS + 6), "")
    for name, y in (("internal test", _TEST), ("across data sets", _ACROSS)):
        _box(axes, (82, y), (15, _HEIGHT), name)
        _arrow(axes, (30.7, y), (74.2, y))
    axes.plot([70.7, 82], [_TRAIN, _TRAIN], color=INK, linewidth=0.9)
    _arrow(axes, (82, _TRAIN), (82, _TEST + 3.2))
    _arrow(axes, (90.7, middle), (95.4, middle))
    _box(axes, (99.7, middle), (8, _HEIGHT), "compare")


def _box(
    axes: Axes, middle: tuple[float, float], size: tuple[float, float], text: str, style: PlotStyle = _THIN
) -> None:
    """Draw a box with text in it."""
    (x, y), (width, height) = middle, size
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            BoxStyle.Round(pad=0, rounding_size=0.7),
            edgecolor=style.colour,
            linewidth=style.width,
            fill=False,
        )
    )
    axes.text(x, y, text, ha="center", va="center", size=8)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def before_and_after(size: int, interpolation: Interpolation) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a face as the detectors get it, (size, size, 3), and its mirror image."""
    face = resize(Image.fromarray(photographs.read(_PHOTOGRAPH).pixels[_FACE]), size, interpolation)
    pixels = np.asarray(face)
    return pixels, pixels[:, ::-1]
