"""The images of one data set that the page shows, with what each detector says of them and where it looks."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, with_ensemble
from deepfake_ensemble.explanation.choice import misclassified, most_confident
from deepfake_ensemble.explanation.gradcam import GradCam, enlarged, of_ensemble
from deepfake_ensemble.explanation.settings import ExplanationParams
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.reading.batches import BatchReader

if TYPE_CHECKING:
    import keras

_BATCH = 8  # images whose activations are held at once


@dataclass(frozen=True)
class GalleryImage:
    """One image: pixels (size, size, 3), each detector's P(fake) and, of an explained one, its heat map."""

    path: str
    is_fake: bool
    p_fake: Mapping[str, float]
    pixels: NDArray[np.uint8]
    heat: Mapping[str, NDArray[np.float32]]

    @property
    def label(self) -> str:
        """What it is, in words."""
        return "fake" if self.is_fake else "real"


@dataclass(frozen=True)
class Gallery:
    """The explained images by outcome, and some of those that detectors get wrong.

    images: how many there are; wrong: how many a detector gets wrong.
    """

    images: int
    wrong: int
    outcomes: Mapping[str, Sequence[GalleryImage]]
    misclassified: Sequence[GalleryImage]


def galleries(
    members: Mapping[str, Aligned],
    readers: Mapping[str, BatchReader],
    weights: Mapping[str, float],
    load: "Callable[[str], keras.Model]",
    *,
    threshold: float,
    settings: ExplanationParams,
    advance: Callable[[int], None],
) -> dict[str, Gallery]:
    """Return each data set's gallery.

    Args:
        members: by data set, the members' predictions.
        readers: by data set, its images in the same order.
        weights: the members' in the ensemble.
        load: gives a member's detector; each is loaded once and dropped before the next.
        threshold: an image is called fake from this P(fake) up.
        settings: how many images are shown.
        advance: is told of each batch that a member has explained.
    """
    splits = {
        name: Aligned(of.paths, of.labels, with_ensemble(weights, of.p_fake)) for name, of in members.items()
    }
    outcomes = {
        name: most_confident(of.labels, of.p_fake[ENSEMBLE], threshold, settings.of_each_outcome)
        for name, of in splits.items()
    }
    explained = {name: [row for rows in of.values() for row in rows] for name, of in outcomes.items()}
    pixels = {name: _pixels(readers[name], rows) for name, rows in explained.items()}
    heat: dict[str, dict[str, NDArray[np.float32]]] = {name: {} for name in splits}
    for model in weights:
        gradcam = GradCam(load(model))
        for name, of in splits.items():
            # What speaks for the ensemble's answer, so that the members' maps can be compared and added.
            towards_fake = of.p_fake[ENSEMBLE][explained[name]] >= threshold
            batches = []
            for start in range(0, len(pixels[name]), _BATCH):
                batch = slice(start, start + _BATCH)
                batches.append(gradcam.maps(pixels[name][batch], towards_fake[batch]))
                advance(len(batches[-1]))
            heat[name][model] = enlarged(np.concatenate(batches), readers[name].size)
        del gradcam
        gc.collect()  # a Keras model refers to itself: without this the next one would be held beside it
    found = {}
    for name, of in splits.items():
        heat[name][ENSEMBLE] = of_ensemble(heat[name], weights)
        images = iter(_shown(of, explained[name], pixels[name], heat[name]))
        wrong = misclassified(of.labels, of.p_fake, threshold)
        first = wrong[: settings.misclassified]
        found[name] = Gallery(
            images=len(of.paths),
            wrong=len(wrong),
            outcomes={outcome: [next(images) for _ in rows] for outcome, rows in outcomes[name].items()},
            misclassified=_shown(of, first, _pixels(readers[name], first), {}),
        )
    return found


def _pixels(reader: BatchReader, positions: Sequence[int]) -> NDArray[np.uint8]:
    return reader.read(np.array(positions, np.int64))[0]


def _shown(
    split: Aligned,
    positions: Sequence[int],
    pixels: NDArray[np.uint8],
    heat: Mapping[str, NDArray[np.float32]],
) -> list[GalleryImage]:
    return [
        GalleryImage(
            path=split.paths[position],
            is_fake=bool(split.labels[position]),
            p_fake={name: float(p[position]) for name, p in told_once(split.p_fake).items()},
            pixels=pixels[row],
            heat={name: maps[row] for name, maps in told_once(heat).items()},
        )
        for row, position in enumerate(positions)
    ]


def summary(gallery: Gallery) -> dict[str, Any]:
    """Return what the page says of each image, for JSON."""

    def said(images: Sequence[GalleryImage]) -> list[dict[str, Any]]:
        return [{"path": image.path, "class": image.label, "p_fake": image.p_fake} for image in images]

    return rounded(
        {
            "images": gallery.images,
            "wrong": gallery.wrong,
            "outcomes": {outcome: said(images) for outcome, images in gallery.outcomes.items()},
            "misclassified": said(gallery.misclassified),
        }
    )
