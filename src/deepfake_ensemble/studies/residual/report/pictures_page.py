"""Pages of pictures: what the best network sees, and what it gets wrong (figures 5 and 10)."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.explanation.feature_maps import Maps
from deepfake_ensemble.pages.document import document
from deepfake_ensemble.pages.html import Child, element, table
from deepfake_ensemble.pages.numbers import count, share
from deepfake_ensemble.studies.residual.report.names import title

_SIDE = 80
CITATION = (
    "Images: CIFAKE (Bird & Lotfi 2024), whose real ones are CIFAR-10's (Krizhevsky & Hinton 2009); in the"
    " profile sample they are crops of photographs that scikit-image and scikit-learn carry."
)


@dataclass(frozen=True)
class Mistake:
    """A test image that the network gets wrong: pixels (size, size, 3)."""

    path: str
    p_fake: float
    pixels: NDArray[np.uint8]


def render(
    run: str,
    image: tuple[str, NDArray[np.uint8]],
    maps: Sequence[Maps],
    mistakes: Mapping[str, tuple[int, Sequence[Mistake]]],
) -> str:
    """Return the page.

    Args:
        run: the network that is shown.
        image: path and pixels of the image whose maps are shown.
        maps: of its five layers.
        mistakes: for each kind, its title → how many there are, and the surest of them.
    """
    content: dict[str, Child] = {
        "Feature maps": [
            element(
                "p",
                f"What {title(run)} makes of the image {image[0]}: the channels that vary most of five"
                " layers, evenly from the first to the last, each from its least value, black, to its"
                " greatest.",
            ),
            _picture(image[1], f"the image {image[0]}"),
            table(
                "Feature maps (figure 5)",
                ["layer", "pixels", "channels"],
                [
                    [
                        of.layer,
                        count(of.side),
                        [_picture(channel, f"a channel of {of.layer}") for channel in of.channels],
                    ]
                    for of in maps
                ],
            ),
        ],
        "Misclassified images": [
            element("p", "The surest mistakes on the official test set (figure 10)."),
            element(
                "div",
                [_mistakes(kind, number, shown) for kind, (number, shown) in mistakes.items()],
                class_="pair",
            ),
        ],
    }
    footer: Child = [CITATION, " ", element("a", "The report", href="../report.html"), "."]
    return document(f"What {title(run)} sees", None, content, footer)


def _mistakes(kind: str, number: int, shown: Sequence[Mistake]) -> Child:
    if not shown:
        return element("p", f"{kind}: none.")
    rows: list[list[Child]] = [
        [[_picture(it.pixels, it.path), element("small", it.path, class_="path")], share(it.p_fake, 4)]
        for it in shown
    ]
    caption: list[Child] = [f"{kind}: the surest of ", count(number)]
    return table(caption, ["image", "P(fake)"], rows)


def _picture(pixels: NDArray[np.uint8], alt: str) -> Child:
    out = io.BytesIO()
    Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.NEAREST).save(out, "PNG", optimize=True)
    source = f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
    return element("img", src=source, alt=alt, width=str(_SIDE), height=str(_SIDE), loading="lazy")
