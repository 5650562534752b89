"""An out-of-distribution score from what the networks make of an image, in their penultimate layers.

The Mahalanobis distance of all members' features from the mean of validation images (Lee et al. 2018, "A
simple unified framework for detecting out-of-distribution samples and adversarial attacks"). There are more
features than images, so the covariance is that of probabilistic PCA (Tipping & Bishop 1999): a few axes of
their own variance, and one variance for all others. `benchmarks/unlike.py` compares it
with nearest neighbours (Sun et al. 2022).

It sees what the pixels' statistics do not, drawings say, and is blind to much that they see: both are told.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.portable.out_of_distribution import FOLDS, QUANTILE
from deepfake_ensemble.reading.batches import Batches

COMPONENTS = 32
"""Axes with a variance of their own, where there are as many images."""
IMAGES = 2_000
"""It is fitted to, and measured on, as many of a split at most, evenly spread: more would take hours."""
_CONSTANT = 1e-6  # of the largest standard deviation: a feature that varies less tells nothing


@dataclass(frozen=True)
class FeatureDistribution:
    """Where the features of validation images lie.

    Attributes:
        mean: of the features (d,).
        scale: their standard deviations (d,).
        axes: the principal ones of the features so scaled (d, k), of length 1.
        variances: along these (k,).
        rest: the variance along any other axis.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    rest: float


def spread(count: int) -> NDArray[np.int64]:
    """Return which of so many images are taken: at most IMAGES, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, IMAGES)).round().astype(np.int64))


def features_of(
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    images: Batches,
    batch_size: int,
    advance: Callable[[int], None],
) -> NDArray[np.float64]:
    """Return the features (n, d) of `spread` of a split's images.

    Args:
        run: from images (m, size, size, 3) to their features (m, d).
        images: of the split.
        batch_size: of the images that `run` sees at once.
        advance: called with the number of images after each batch.
    """
    positions, found = spread(len(images)), []
    for start in range(0, len(positions), batch_size):
        pixels, _ = images.read(positions[start : start + batch_size])
        found.append(run(pixels).astype(np.float64))
        advance(len(pixels))
    return np.concatenate(found)


def fit(features: NDArray[np.float64]) -> FeatureDistribution:
    """Fit the distribution to features (n, d)."""
    n, d = features.shape
    k = min(COMPONENTS, n - 2, d - 1)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    most = max(float(scale.max()), np.finfo(float).tiny)
    scale = np.where(scale > _CONSTANT * most, scale, most)
    scaled = (features - mean) / scale
    # The axes by the products of images with each other: there are fewer of them than features.
    products = scaled @ scaled.T
    values, vectors = np.linalg.eigh(products)
    values, vectors = np.maximum(values[::-1][:k], np.finfo(float).tiny), vectors[:, ::-1][:, :k]
    variances = values / (n - 1)
    rest = max((np.trace(products) / (n - 1) - variances.sum()) / (d - k), _CONSTANT)
    return FeatureDistribution(
        mean, scale, scaled.T @ vectors / np.sqrt(values), np.maximum(variances, rest), rest
    )


def distances(features: NDArray[np.float64], of: FeatureDistribution) -> NDArray[np.float64]:
    """Return the distances (n,) of features (n, d) from the mean."""
    scaled = (features - of.mean) / of.scale
    along = (scaled @ of.axes) ** 2
    beside = np.maximum((scaled**2).sum(axis=1) - along.sum(axis=1), 0)
    return np.sqrt((along / of.variances).sum(axis=1) + beside / of.rest)


def limit(features: NDArray[np.float64]) -> float:
    """Return the distance within which QUANTILE of images lie that the distribution was not fitted to."""
    fold = np.arange(len(features)) % FOLDS
    apart = [distances(features[fold == k], fit(features[fold != k])) for k in range(FOLDS)]
    return float(np.quantile(np.concatenate(apart), QUANTILE, method="higher"))
