"""How near to 0 and 1 a probability counts."""

import numpy as np

# scikit-learn's bound in log loss: the distance of 1 from the next float64 above it.
SMALLEST = 2.0**-52


def clipped(p_fake: np.ndarray, smallest: float = SMALLEST) -> np.ndarray:
    """Return probabilities none of which is nearer to 0 or 1 than `smallest`: where one is given to the wrong
    class, its log loss is finite."""
    return np.clip(p_fake, smallest, 1 - smallest)
