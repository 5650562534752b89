"""What an epoch of training looks like, as a pure function of (seed, epoch).

So training can go on from the middle of an epoch, and another reader can take this one's place, without
changing a single trained byte.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What random numbers are for: each purpose has its own, whatever else is drawn."""

    ORDER = 0
    FLIP = 1
    CROP = 2
    TURN = 3
    CUT = 4


def permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order in which epoch `epoch` (from 0) visits all `count` images: (count,)."""
    return generator(seed, epoch, Purpose.ORDER).permutation(count)


def flips(count: int, seed: int, epoch: int) -> NDArray[np.bool_]:
    """Return for each of `count` images, by its position in the split, whether epoch `epoch` mirrors it."""
    return generator(seed, epoch, Purpose.FLIP).integers(0, 2, count, dtype=np.uint8).astype(bool)


def generator(seed: int, epoch: int, purpose: Purpose) -> np.random.Generator:
    """Return the source of an epoch's random numbers for one purpose."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, purpose])))
