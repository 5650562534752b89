"""The page of pictures: where the detectors look, and images that they get wrong."""

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.explanation.gallery import Gallery, GalleryImage
from deepfake_ensemble.explanation.gradcam import overlaid
from deepfake_ensemble.pages.rendering import Section
from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.pages.titles import title

_OUTCOMES = {
    "fakes_found": "Fakes found",
    "reals_found": "Real images recognised",
    "fakes_missed": "Fakes missed",
    "reals_called_fake": "Real images called fake",
}
_SIDE = 144  # pixels of a picture on the page


def render(galleries: Mapping[str, Gallery], threshold: float) -> str:
    """Return the page, which holds its pictures itself.

    Args:
        galleries: by data set.
        threshold: an image is called fake from this P(fake) up.
    """
    sections = []
    for name, gallery in galleries.items():
        view = {"name": name, "gallery": gallery}
        sections += [
            Section(f"Where they look: {title(name)}", "explained.html", view),
            Section(f"What they get wrong: {title(name)}", "misclassified.html", view),
        ]
    return rendered(
        __name__,
        "gallery.html",
        threshold=threshold,
        is_alone=not any(ENSEMBLE in image.p_fake for image in _images(galleries)),
        sections=sections,
        OUTCOMES=_OUTCOMES,
        SIDE=_SIDE,
        jpeg=_jpeg,
        overlaid=overlaid,
    )


def _images(galleries: Mapping[str, Gallery]) -> Iterator[GalleryImage]:
    for of in galleries.values():
        yield from of.misclassified
        for images in of.outcomes.values():
            yield from images


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    out = io.BytesIO()
    image = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    image.save(out, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
