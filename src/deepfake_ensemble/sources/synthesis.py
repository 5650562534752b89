"""Re-synthesise photographs the way two families of generators leave their traces.

A simulation for demonstration and tests: what detectors score on it says nothing about real deepfakes.

All arithmetic is on integers or is one float64 operation at a time: every processor gives the same bytes.
"""

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.sources.photographs import sharpness

Pixels = NDArray[np.uint8]

# Transposed convolution of three taps with stride two: along an axis every second output pixel receives two
# taps, the others one (Odena et al. 2016). Relative to its mean, times four:
OVERLAP = np.array([[-5, -1], [-1, 7]])


def jpeg(pixels: Pixels) -> bytes:
    """Compress as both of Kaggle's archives are: quality 75, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75, subsampling="4:2:0")
    return buffer.getvalue()


def decode(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def closest(original: Pixels, candidates: Iterable[Pixels]) -> bytes:
    """Return the candidate, as a JPEG, that is most like the original in size of file and sharpness."""
    target = jpeg(original)
    bytes_wanted, sharpness_wanted = len(target), sharpness(decode(target))

    def distance(data: bytes) -> float:
        sharp = sharpness(decode(data))
        return abs(sharp - sharpness_wanted) / (sharp + sharpness_wanted + 1) + 3 * abs(
            len(data) - bytes_wanted
        ) / (len(data) + bytes_wanted)

    return min(map(jpeg, candidates), key=distance)


def _halve(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Low-pass (1, 3, 3, 1) along the first axis and keep every second; eight times as large."""
    p = np.concatenate([x[:1], x, x[-1:]])
    return p[:-3:2] + 3 * p[1:-2:2] + 3 * p[2:-1:2] + p[3::2]


def _double(c: NDArray[np.int64]) -> NDArray[np.int64]:
    """Transposed convolution (1, 3, 3, 1) with stride two along the first axis; four times as large."""
    p = np.concatenate([c[:1], c, c[-1:]])
    even = p[:-2] + 3 * p[1:-1]
    odd = 3 * p[1:-1] + p[2:]
    return np.stack([even, odd], axis=1).reshape(2 * c.shape[0], *c.shape[1:])


def gan(pixels: Pixels, strength: int) -> bytes:
    """Re-synthesise an image of even height and width by a simulated GAN decoder; return its JPEG."""
    x = pixels.astype(np.int64)
    both = lambda f, a: f(f(a).swapaxes(0, 1)).swapaxes(0, 1)  # noqa: E731
    smooth = both(_double, both(_halve, x))  # 1024 times the pixels
    detail = 1024 * x - smooth
    height, width = x.shape[:2]
    checker = np.tile(OVERLAP, (height // 2, width // 2))[:, :, None] * 256

    def candidates() -> Iterable[Pixels]:
        for kept in (0, 2, 4, 6, 8, 10, 12, 14):
            y = 16 * smooth + kept * detail + strength * checker
            yield np.clip((y + 8192) >> 14, 0, 255).astype(np.uint8)

    return closest(pixels, candidates())


def _denoise(x: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Average each pixel with its neighbours, the less the more they differ (Perona & Malik 1990)."""
    p = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    total, weights = x.copy(), np.ones_like(x)
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            neighbour = p[dy : dy + x.shape[0], dx : dx + x.shape[1]]
            difference = neighbour - x
            weight = scale / (scale + difference * difference)
            total = total + weight * neighbour
            weights = weights + weight
    return total / weights


def diffusion(pixels: Pixels, rng: np.random.Generator) -> bytes:
    """Re-synthesise an image by adding noise and taking it away step by step; return its JPEG."""
    x = pixels.astype(np.float64)
    shape = (3, *x.shape[:2], 1)
    # Sums of uniform integers: all but normal, and the same everywhere.
    first, fresh = (rng.integers(-128, 129, size=(6, *shape[1:])).sum(axis=0) / 181.0 for _ in range(2))

    def candidates() -> Iterable[Pixels]:
        for strength in (4.0, 8.0, 14.0):
            for steps in (1, 2, 4):
                y = x + strength * first
                for step in range(steps):
                    y = _denoise(y, (2 * strength) ** 2 / (1 + step))
                for left in (0.0, 2.0, 4.0, 7.0, 11.0):
                    yield np.clip(np.floor(y + left * fresh + 0.5), 0, 255).astype(np.uint8)

    return closest(pixels, candidates())
