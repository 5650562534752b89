"""What the members of an ensemble get right that others get wrong.

Measures of a pair follow Kuncheva & Whitaker 2003, "Measures of diversity in classifier ensembles".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np


@dataclass(frozen=True)
class Pair:
    """How alike two detectors are on n images; None where a measure is not defined.

    agreement: share of images that both call the same; q_statistic: Yule's Q of right answers, None if no
    product of the two-by-two table is positive; double_fault: share both get wrong; error_correlation: phi
    coefficient of errors, None if a detector is always right or always wrong; kappa: Cohen's, of what the
    two call each image, None if both call all images the same.
    """

    agreement: float
    q_statistic: float | None
    double_fault: float
    error_correlation: float | None
    kappa: float | None


def pair(labels: np.ndarray, called_a: np.ndarray, called_b: np.ndarray) -> Pair:
    """Compare two detectors by what they call each image.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        called_a: (n,), int or bool, 1 where the first detector calls the image fake.
        called_b: (n,), the same of the second.
    """
    n = len(labels)
    right_a, right_b = called_a == labels, called_b == labels
    both = int(np.count_nonzero(right_a & right_b))
    neither = int(np.count_nonzero(~right_a & ~right_b))
    only_a = int(np.count_nonzero(right_a & ~right_b))
    only_b = n - both - neither - only_a

    alike, unlike = both * neither, only_a * only_b
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    fakes_a, fakes_b = int(np.count_nonzero(called_a)), int(np.count_nonzero(called_b))
    by_chance = fakes_a * fakes_b + (n - fakes_a) * (n - fakes_b)  # times n^2
    return Pair(
        agreement=(both + neither) / n,
        q_statistic=(alike - unlike) / (alike + unlike) if alike + unlike else None,
        double_fault=neither / n,
        error_correlation=(alike - unlike) / sqrt(margins) if margins else None,
        kappa=(n * (both + neither) - by_chance) / (n * n - by_chance) if by_chance < n * n else None,
    )


def wrong_counts(right: Sequence[np.ndarray]) -> list[int]:
    """Return how many images 0, 1, ..., k of k detectors get wrong, from where each is right: bool (n,)."""
    wrong = len(right) - np.stack(right).sum(axis=0)
    return np.bincount(wrong, minlength=len(right) + 1).tolist()


def oracle_of_coins(members: int) -> float:
    """Return the accuracy of an oracle over so many members that toss coins: what an oracle's says little
    below."""
    return 1 - 0.5**members


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return all non-empty subsets, small ones first, each in the order of `names`."""
    return [chosen for size in range(1, len(names) + 1) for chosen in combinations(names, size)]
