"""An out-of-distribution score: how unlike those of training an image is, by statistics of its pixels.

A network answers whatever it is shown; whether the question was one it was trained for, its answer does not
tell. These statistics say how bright, contrasty and colourful an image is, and how its detail is spread over
coarse and fine: what upscaling, blur, noise, drawings, screenshots and other cameras change. They see the
pixels that the networks see, at their size, so a file's format, compression and dimensions count by what they
leave there. They know nothing of what a picture shows: a landscape of a photograph's usual statistics passes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FEATURES = ("brightness", "contrast", "colourfulness", "coarse", "middle", "fine", "finest")
QUANTILE = 0.99
FOLDS = 5
# Ends of the bands of spatial frequency in cycles a pixel, octave by octave; the last takes the corners too.
_BANDS = (1 / 16, 1 / 8, 1 / 4)
_NOTHING = 1e-6  # a share of the power as small as this counts as none


def features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the FEATURES of an image (size, size, 3) of 0-255.

    Mean and standard deviation of the luma and the mean distance between the largest and the smallest
    channel, all of 0-1; then, per band, the decimal logarithm of its share of the power in the luma's
    spectrum. That is taken of the luma less its mean, under a Hann window: without one, borders would look
    like fine detail.
    """
    luma = np.array(Image.fromarray(pixels).convert("L"), np.float64)
    luma /= 255
    mean = luma.mean()
    luma -= mean
    contrast = np.sqrt((luma * luma).mean())
    window, band = _spectrum(len(luma))
    luma *= window
    power = np.abs(np.fft.rfft2(luma)) ** 2
    of_band = np.bincount(band, power.ravel(), minlength=len(_BANDS) + 1)
    total = of_band.sum()
    shares = of_band / total if total > _NOTHING else np.zeros(len(of_band))
    return np.array([mean, contrast, _colourfulness(pixels), *np.log10(shares + _NOTHING)])


def _colourfulness(pixels: NDArray[np.uint8]) -> float:
    # Each number of the flat array is compared with the two that follow it, which is faster than along the
    # axis of the channels. In every third place these three are a pixel's R, G and B; the others are dropped.
    one, two, three = (pixels.ravel()[k : pixels.size - 2 + k] for k in range(3))
    apart = np.maximum(np.maximum(one, two), three) - np.minimum(np.minimum(one, two), three)
    return float(apart[::3].mean()) / 255


@lru_cache(maxsize=4)
def _spectrum(size: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the window (size, size), and which band each number of its real spectrum belongs to (flat)."""
    hann = np.hanning(size + 2)[1:-1]
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    return hann[:, None] * hann, np.digitize(radius, _BANDS).ravel()


@dataclass(frozen=True)
class ReferenceDistribution:
    """What is usual among images.

    Attributes:
        mean: of the features.
        inverse_covariance: of the features.
        quantile: the share of usual images whose score is `limit` or less.
        limit: an image with a larger score is flagged.
    """

    mean: tuple[float, ...]
    inverse_covariance: tuple[tuple[float, ...], ...]
    quantile: float
    limit: float


def features_of(
    batches: Iterable[tuple[NDArray[np.uint8], object]], advance: Callable[[int], None]
) -> NDArray[np.float64]:
    """Return the features (n, len(FEATURES)) of many images.

    Args:
        batches: of images (m, size, size, 3), and whatever comes with them.
        advance: called with the number of images after each batch.
    """
    found = []
    for images, _ in batches:
        found += [features(image) for image in images]
        advance(len(images))
    return np.stack(found)


def fit(images: NDArray[np.float64]) -> ReferenceDistribution:
    """Fit the reference distribution to the features (n, len(FEATURES)) of n images.

    The limit is the quantile of distances of images that the mean and covariance were not computed from (five
    folds, taken in turn), because those they were computed from lie too near.
    """
    fold = np.arange(len(images)) % FOLDS
    apart = np.concatenate(
        [_mahalanobis(images[fold == k], *_moments(images[fold != k])) for k in range(FOLDS)]
    )
    mean, inverse = _moments(images)
    return ReferenceDistribution(
        mean=tuple(mean.tolist()),
        inverse_covariance=tuple(map(tuple, inverse.tolist())),
        quantile=QUANTILE,
        limit=float(np.quantile(apart, QUANTILE, method="higher")),
    )


def scores(images: NDArray[np.float64], reference: ReferenceDistribution) -> NDArray[np.float64]:
    """Return the scores (n,) of features (n, len(FEATURES)): their Mahalanobis distance from the mean."""
    return _mahalanobis(images, np.array(reference.mean), np.array(reference.inverse_covariance))


def _moments(images: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    covariance: NDArray[np.float64] = np.cov(images, rowvar=False)
    # A feature that never varies would make any other value infinitely strange.
    covariance += np.diag(1e-6 + 1e-3 * np.diag(covariance))
    return images.mean(axis=0), np.linalg.inv(covariance).astype(np.float64)


def _mahalanobis(
    images: NDArray[np.float64], mean: NDArray[np.float64], inverse: NDArray[np.float64]
) -> NDArray[np.float64]:
    apart = images - mean
    return np.sqrt(np.maximum(((apart @ inverse) * apart).sum(axis=1), 0.0))
