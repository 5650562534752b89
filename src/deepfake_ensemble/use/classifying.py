"""Many images, a few at a time: read, decoded and looked at by threads while the networks run."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.portable import likeness
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.portable.facts import Facts
from deepfake_ensemble.reading.images import BadImage
from deepfake_ensemble.use import decoding
from deepfake_ensemble.use.inputs import Input

BATCH = 32  # images that the networks see at once
_THREADS = 8  # each may hold an image of 64 megapixels


@dataclass(frozen=True)
class Seen:
    """An image as the networks see it, (size, size, 3), and its distance from what is usual in training."""

    image: str
    pixels: NDArray[np.uint8]
    distance: float


@dataclass(frozen=True)
class Classified:
    """What the networks saw of an image, and P(fake) by each detector."""

    seen: Seen
    p_fake: Mapping[str, float]


@dataclass(frozen=True)
class Failed:
    """An image that could not be used, and why."""

    image: str
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
    """
    remaining = iter(inputs)
    pool = ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _THREADS), thread_name_prefix="decode")
    pending: deque[list[Future[Seen | Failed]]] = deque()
    try:
        while True:
            while len(pending) < 2 and (following := list(islice(remaining, batch))):
                pending.append([pool.submit(_attempt, it, classifier.facts) for it in following])
            if not pending:
                return
            yield from _classified(classifier, [each.result() for each in pending.popleft()], detectors)
    finally:
        pool.shutdown(cancel_futures=True)  # who interrupts does not wait for what is queued


def see(name: str, data: bytes, facts: Facts) -> Seen:
    """Decode an image.

    Raises:
        BadImage: as `decoding.pixels`.
    """
    pixels = decoding.pixels(data, facts.image_size, facts.interpolation)
    distance = likeness.distances(likeness.features(pixels)[None], facts.typical)
    return Seen(name, pixels, float(distance[0]))


def _attempt(each: Input, facts: Facts) -> Seen | Failed:
    try:
        return see(each.name, each.read(), facts)
    except BadImage as error:
        return Failed(each.name, str(error))
    except MemoryError:
        return Failed(each.name, "takes more memory than there is")


def _classified(
    classifier: Classifier, attempts: Sequence[Seen | Failed], detectors: Sequence[str] | None
) -> Iterator[Classified | Failed]:
    images = [each.pixels for each in attempts if isinstance(each, Seen)]
    p_fake = classifier.p_fake(np.stack(images), detectors) if images else {}
    row = 0
    for each in attempts:
        if isinstance(each, Failed):
            yield each
        else:
            yield Classified(each, {name: float(p[row]) for name, p in p_fake.items()})
            row += 1
