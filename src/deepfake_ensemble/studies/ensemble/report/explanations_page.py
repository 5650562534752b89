"""The page of pictures: where the detectors look, and images that they get wrong."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.explanation.gallery import Gallery, Shown
from deepfake_ensemble.explanation.overlay import overlaid
from deepfake_ensemble.pages.detectors import place, title
from deepfake_ensemble.pages.document import document
from deepfake_ensemble.pages.html import Child, element, table
from deepfake_ensemble.pages.numbers import count, given, share

TITLE = "Where the detectors look"

_OUTCOMES = {
    "fakes_found": "Fakes found",
    "reals_found": "Real images recognised",
    "fakes_missed": "Fakes missed",
    "reals_called_fake": "Real images called fake",
}
_SIDE = 144  # pixels of a picture on the page


def render(galleries: Mapping[str, Gallery], threshold: float) -> str:
    """Return the page, which holds its pictures itself."""
    header: Child = [
        element(
            "p",
            "Grad-CAM (Selvaraju et al. 2017) marks what in an image speaks for the ensemble's answer: "
            "bright spots the most. What stays grey says little, or speaks against it. Each map is divided "
            "by its own maximum, so a faint one looks like a strong one; the ensemble's is then the sum of "
            "its members', weighted as their probabilities are. Below each picture stands P(fake); an image "
            "is called fake from ",
            given(threshold),
            " on. Maps are as coarse as a network's last feature maps, and show where it looked, not why.",
        ),
        element(
            "p",
            element("strong", "Before you pass this page on:"),
            " it shows images of the data sets, whose licences may forbid it.",
            class_="banner",
            role="note",
        ),
    ]
    content: dict[str, Child] = {}
    for name, gallery in galleries.items():
        content[f"Where they look: {title(name)}"] = [
            _explained(images, f"{_OUTCOMES[outcome]} on {place(name)}, the ensemble's surest first")
            if images
            else element("p", f"{_OUTCOMES[outcome]} on {place(name)}: none.")
            for outcome, images in gallery.outcomes.items()
        ]
        content[f"What they get wrong: {title(name)}"] = _misclassified(name, gallery)
    footer: Child = [
        "Every figure on this page stands in images.json beside it. ",
        element("a", "The report", href="../report.html"),
        ".",
    ]
    return document(TITLE, header, content, footer)


def _explained(images: Sequence[Shown], caption: str) -> Child:
    detectors = list(images[0].p_fake)
    rows: list[list[Child]] = [
        [
            _picture(image.pixels, f"{image.path}, {_class(image)}"),
            *(
                [
                    _picture(
                        overlaid(image.pixels, image.heat[name]), f"{title(name)}'s heat map of {image.path}"
                    ),
                    element("div", share(image.p_fake[name])),
                ]
                for name in detectors
            ),
        ]
        for image in images
    ]
    return table(caption, ["image", *map(title, detectors)], rows)


def _misclassified(name: str, gallery: Gallery) -> Child:
    if not gallery.misclassified:
        return element("p", "No detector gets any of the ", count(gallery.images), " images wrong.")
    detectors = list(gallery.misclassified[0].p_fake)
    rows: list[list[Child]] = [
        [
            [_picture(image.pixels, _class(image)), element("small", image.path, class_="path")],
            _class(image),
            *(share(image.p_fake[detector]) for detector in detectors),
        ]
        for image in gallery.misclassified
    ]
    caption: list[Child] = [
        "The first ",
        count(len(gallery.misclassified)),
        " of ",
        count(gallery.wrong),
        f" images of {place(name)} that a detector gets wrong",
        ": first those that the ensemble does, then by how many members do. P(fake) by detector",
    ]
    return table(caption, ["image", "is", *map(title, detectors)], rows)


def _class(image: Shown) -> str:
    return "fake" if image.is_fake else "real"


def _picture(pixels: NDArray[np.uint8], alt: str) -> Child:
    out = io.BytesIO()
    image = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    image.save(out, "JPEG", quality=85)
    source = f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
    return element("img", src=source, alt=alt, width=str(_SIDE), height=str(_SIDE), loading="lazy")
