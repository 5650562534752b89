"""What an epoch of training looks like, as a pure function of (seed, epoch).

So training can go on from the middle of an epoch, and another reader can take this one's place, without
changing a single trained byte.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What random numbers are for: each purpose has a stream of its own, whatever else is drawn."""

    ORDER = 0
    FLIP = 1
    CROP = 2
    TRANSFORM = 3
    CUT_MIX = 4


def permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order in which an epoch visits all images.

    Args:
        count: of the images.
        seed: of the training.
        epoch: counted from 0.

    Returns:
        Positions in the split: (count,).
    """
    return generator(seed, epoch, Purpose.ORDER).permutation(count)


def flips(count: int, seed: int, epoch: int) -> NDArray[np.bool_]:
    """Return for each image whether an epoch mirrors it.

    Args:
        count: of the images.
        seed: of the training.
        epoch: counted from 0.

    Returns:
        By position in the split: (count,).
    """
    return generator(seed, epoch, Purpose.FLIP).integers(0, 2, count, dtype=np.uint8).astype(bool)


def generator(seed: int, epoch: int, purpose: Purpose) -> np.random.Generator:
    """Return the generator of an epoch's random numbers for one purpose: PCG64([seed, epoch, purpose])."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, purpose])))
