"""Many images, a few at a time: read, decoded, searched and scored by threads while the networks run."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.faces.alignment import aligned
from deepfake_ensemble.faces.cropping import Square
from deepfake_ensemble.portable import out_of_distribution
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.reading.images import BadImage, resize
from deepfake_ensemble.use.inputs import Input, StorageFault
from deepfake_ensemble.use.photographs import open_photograph, seen
from deepfake_ensemble.use.statements import Statement
from deepfake_ensemble.use.verdicts import told

_THREADS = 8  # each may hold an image of 64 megapixels
_AHEAD = 64  # images that are read and decoded before their turn, however few the networks see at once

NO_FACE = "no face found"

FacesMode: TypeAlias = Literal["auto", "whole", "only"]
"""What is classified: faces where the models were trained on faces, whole images always, or faces always."""


@dataclass(frozen=True)
class Decoded:
    """An image, or a face in it, as the networks see it.

    Attributes:
        name: of the image.
        pixels: RGB, (size, size, 3).
        score: how unlike those of training its pixels' statistics are.
        note: what of its file was not used; None if nothing.
        statements: what its file says of its making.
        size: width and height of the image, upright.
        box: of the face, in pixels of the image: left, top, right, bottom; None if faces were not looked for.
        around: what was cut out around the face; None if this is the whole image.
    """

    name: str
    pixels: NDArray[np.uint8]
    score: float
    note: str | None
    statements: tuple[Statement, ...]
    size: tuple[int, int]
    box: tuple[int, int, int, int] | None = None
    around: Square | None = None


@dataclass(frozen=True)
class Classified:
    """An image, or a face in it, and its P(fake) by each detector.

    Attributes:
        image: what the networks saw; of an image with faces, the one that is most likely fake.
        p_fake: of that.
        distance: how far what the networks make of it lies from validation images; None where one member of
            several was asked.
        faces: all of them, the largest first; None if they were not looked for.
    """

    image: Decoded
    p_fake: Mapping[str, float]
    distance: float | None
    faces: "tuple[Classified, ...] | None" = None


@dataclass(frozen=True)
class Failed:
    """An image that could not be used, by name, and why."""

    name: str
    reason: str


def classify(
    classifier: Classifier,
    inputs: Iterable[Input],
    detectors: Sequence[str] | None = None,
    faces: FacesMode = "auto",
) -> Iterator[Classified | Failed]:
    """Yield what becomes of each input, in order.

    Held at most, however many there are: 64 images that are decoded ahead, and those that the networks see
    at once, `classifier.batch_size` of them.

    Args:
        classifier: the open model file.
        inputs: the images.
        detectors: whose probabilities are wanted; by default all that results tell of.
        faces: whether faces are looked for.

    Raises:
        StorageFault: if what an image lies on fails; such an input is not at fault.
    """
    remaining = iter(inputs)
    pool = ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _THREADS), thread_name_prefix="decode")
    pending: deque[Future[list[Decoded] | Failed]] = deque()
    try:
        while True:
            for each in islice(remaining, _AHEAD - len(pending)):
                pending.append(pool.submit(_attempt, each, classifier.metadata, faces))
            if not pending:
                return
            batch = [pending.popleft() for _ in range(min(classifier.batch_size, len(pending)))]
            attempts, fault = _results(batch)
            yield from _classified(classifier, attempts, detectors)
            if fault:
                raise fault
    finally:
        pool.shutdown(cancel_futures=True)  # who interrupts does not wait for what is queued


def decode(
    name: str, data: bytes | Image.Image, metadata: ModelMetadata, faces: FacesMode = "auto"
) -> list[Decoded]:
    """Decode an image as it is seen, bring it or the faces in it to the networks' size, and score them.

    An image without transparency, colour profile and orientation, as all of the data sets are, gives the
    pixels that the detectors were trained on.

    Args:
        name: of the image.
        data: its file's bytes, or Pillow's image.
        metadata: of the model file: the networks' input, and what is usual in training.
        faces: whether faces are looked for.

    Returns:
        The whole image, or the faces in it, the largest first.

    Raises:
        BadImage: saying why it cannot be used, as `photographs.open_photograph`, or that no face was found.
    """
    photograph = open_photograph(data) if isinstance(data, bytes) else seen(data)
    image = photograph.image

    def shown(part: Image.Image, box: tuple[int, int, int, int] | None, around: Square | None) -> Decoded:
        pixels = np.asarray(resize(part, metadata.image_size, metadata.interpolation))
        score = out_of_distribution.scores(out_of_distribution.features(pixels)[None], metadata.typical)
        return Decoded(
            name, pixels, float(score[0]), photograph.note, photograph.statements, image.size, box, around
        )

    if faces == "whole" or (faces == "auto" and not metadata.faces):
        return [shown(image, None, None)]
    if found := [shown(each.image, each.box, each.around) for each in aligned(image)]:
        return found
    raise BadImage(NO_FACE + (": these detectors know faces only" if metadata.faces else ""))


def _attempt(each: Input, metadata: ModelMetadata, faces: FacesMode) -> list[Decoded] | Failed:
    try:
        return decode(each.name, each.read(), metadata, faces)
    except BadImage as error:
        return Failed(each.name, str(error))
    except MemoryError:
        return Failed(each.name, "takes more memory than there is")


def _results(
    batch: Iterable[Future[list[Decoded] | Failed]],
) -> tuple[list[list[Decoded] | Failed], StorageFault | None]:
    """Return what became of a batch, up to the first fault of storage."""
    attempts = []
    for each in batch:
        try:
            attempts.append(each.result())
        except StorageFault as fault:
            return attempts, fault
    return attempts, None


def _classified(
    classifier: Classifier,
    attempts: Sequence[list[Decoded] | Failed],
    detectors: Sequence[str] | None,
) -> Iterator[Classified | Failed]:
    shown = [part for each in attempts if not isinstance(each, Failed) for part in each]
    parts = iter(classified_parts(classifier, shown, detectors))
    for each in attempts:
        yield each if isinstance(each, Failed) else one_result(list(islice(parts, len(each))))


def classified_parts(
    classifier: Classifier,
    shown: Sequence[Decoded],
    detectors: Sequence[str] | None = None,
) -> list[Classified]:
    """Classify images or faces, `classifier.batch_size` of them at once; by default as `classify` does."""
    batch = classifier.batch_size
    everyone = told(classifier.metadata)
    wanted = detectors or everyone
    found = []
    for first in range(0, len(shown), batch):
        some = shown[first : first + batch]
        pixels = np.stack([each.pixels for each in some])
        distances: Sequence[float | None] = [None] * len(some)
        if everyone[-1] in wanted:
            p_fake, far = classifier.p_fake_and_distance(pixels)
            distances = far.tolist()
        else:
            p_fake = classifier.p_fake(pixels, wanted)  # of the others nothing is computed
        found += [
            Classified(each, {name: float(p_fake[name][row]) for name in wanted}, distances[row])
            for row, each in enumerate(some)
        ]
    return found


def one_result(parts: Sequence[Classified]) -> Classified:
    """Return the result of an image from its only part, the whole, or from those of its faces.

    The face that is most likely fake decides, by the ensemble if that was asked.
    """
    if parts[0].image.box is None:
        return parts[0]
    most = max(parts, key=lambda each: each.p_fake.get(ENSEMBLE, max(each.p_fake.values())))
    return replace(most, faces=tuple(parts))
