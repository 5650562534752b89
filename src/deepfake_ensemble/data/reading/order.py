"""What an epoch of training looks like, as a pure function of (seed, epoch).

So training can go on from the middle of an epoch, and another reader can take this one's place, without
changing a single trained byte.
"""

import numpy as np
from numpy.typing import NDArray

_ORDER, _FLIP = 0, 1


def permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order in which epoch `epoch` (from 0) visits all `count` images: (count,)."""
    return _generator(seed, epoch, _ORDER).permutation(count)


def flips(count: int, seed: int, epoch: int) -> NDArray[np.bool_]:
    """Return for each of `count` images, by its position in the split, whether epoch `epoch` mirrors it."""
    return _generator(seed, epoch, _FLIP).integers(0, 2, count, dtype=np.uint8).astype(bool)


def _generator(seed: int, epoch: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, purpose])))
