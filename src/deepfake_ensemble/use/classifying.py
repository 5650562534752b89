"""Many images, a few at a time: read, decoded and scored by threads while the networks run."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.portable import out_of_distribution
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.reading.images import BadImage, resize
from deepfake_ensemble.use.inputs import Input, StorageFault
from deepfake_ensemble.use.photographs import open_photograph, seen

BATCH = 32  # images that the networks see at once
_THREADS = 8  # each may hold an image of 64 megapixels


@dataclass(frozen=True)
class Decoded:
    """An image as the networks see it.

    Attributes:
        name: of the image.
        pixels: RGB, (size, size, 3).
        score: how unlike those of training it is.
        note: what of its file was not used; None if nothing.
    """

    name: str
    pixels: NDArray[np.uint8]
    score: float
    note: str | None = None


@dataclass(frozen=True)
class Classified:
    """An image and its P(fake) by each detector."""

    image: Decoded
    p_fake: Mapping[str, float]


@dataclass(frozen=True)
class Failed:
    """An image that could not be used, by name, and why."""

    name: str
    reason: str


def classify(
    classifier: Classifier,
    inputs: Iterable[Input],
    detectors: Sequence[str] | None = None,
    batch: int = BATCH,
) -> Iterator[Classified | Failed]:
    """Yield what becomes of each input, in order; three batches are held at most, however many there are.

    Args:
        classifier: the open model file.
        inputs: the images.
        detectors: whose probabilities are wanted; all by default.
        batch: images that the networks see at once.

    Raises:
        StorageFault: if what an image lies on fails; such an input is not at fault.
    """
    remaining = iter(inputs)
    pool = ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _THREADS), thread_name_prefix="decode")
    pending: deque[list[Future[Decoded | Failed]]] = deque()
    try:
        while True:
            while len(pending) < 2 and (following := list(islice(remaining, batch))):
                pending.append([pool.submit(_attempt, it, classifier.metadata) for it in following])
            if not pending:
                return
            attempts, fault = _results(pending.popleft())
            yield from _classified(classifier, attempts, detectors)
            if fault:
                raise fault
    finally:
        pool.shutdown(cancel_futures=True)  # who interrupts does not wait for what is queued


def decode(name: str, data: bytes | Image.Image, metadata: ModelMetadata) -> Decoded:
    """Decode an image as it is seen, bring it to the networks' size, and score it.

    An image without transparency, colour profile and orientation, as all of the data sets are, gives the
    pixels that the detectors were trained on.

    Args:
        name: of the image.
        data: its file's bytes, or Pillow's image.
        metadata: of the model file: the networks' input, and what is usual in training.

    Raises:
        BadImage: saying why it cannot be used, as `photographs.open_photograph`.
    """
    photograph = open_photograph(data) if isinstance(data, bytes) else seen(data)
    pixels = np.asarray(resize(photograph.image, metadata.image_size, metadata.interpolation))
    score = out_of_distribution.scores(out_of_distribution.features(pixels)[None], metadata.typical)
    return Decoded(name, pixels, float(score[0]), photograph.note)


def _attempt(each: Input, metadata: ModelMetadata) -> Decoded | Failed:
    try:
        return decode(each.name, each.read(), metadata)
    except BadImage as error:
        return Failed(each.name, str(error))
    except MemoryError:
        return Failed(each.name, "takes more memory than there is")


def _results(
    batch: Iterable[Future[Decoded | Failed]],
) -> tuple[list[Decoded | Failed], StorageFault | None]:
    """Return what became of a batch, up to the first fault of storage."""
    attempts = []
    for each in batch:
        try:
            attempts.append(each.result())
        except StorageFault as fault:
            return attempts, fault
    return attempts, None


def _classified(
    classifier: Classifier, attempts: Sequence[Decoded | Failed], detectors: Sequence[str] | None
) -> Iterator[Classified | Failed]:
    images = [each.pixels for each in attempts if isinstance(each, Decoded)]
    p_fake = classifier.p_fake(np.stack(images), detectors) if images else {}
    row = 0
    for each in attempts:
        if isinstance(each, Failed):
            yield each
        else:
            yield Classified(each, {name: float(p[row]) for name, p in p_fake.items()})
            row += 1
