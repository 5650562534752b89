"""Re-synthesise photographs the way two families of generators leave their traces.

A simulation for demonstration and tests: what detectors score on it says nothing about real deepfakes.

Both ways offer several candidates for an image, and the one is kept whose file is nearest in size and
sharpness to the original's. So neither of the two tells real from fake, and a detector has to look at how
pixels are arranged.

Arithmetic is on integers or one float64 operation at a time, so every processor gives the same bytes.

- X. Zhang, S. Karaman, S.-F. Chang: Detecting and simulating artifacts in GAN fake images. WIFS 2019.
- A. Odena, V. Dumoulin, C. Olah: Deconvolution and checkerboard artifacts. Distill, 2016.
- J. Ho, A. Jain, P. Abbeel: Denoising diffusion probabilistic models. NeurIPS 2020.
- P. Perona, J. Malik: Scale-space and edge detection using anisotropic diffusion. PAMI, 1990.
"""

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.sample.photographs import sharpness

Pixels = NDArray[np.uint8]

# What the decoder leaves on an image, in grey levels: somewhat sharper than the image was, and it takes the
# place of its detail; not so weak that JPEG would wipe it out, nor so strong that it would be clipped.
SHARPER = 1.2
WEAKEST, STRONGEST = 5.0, 30.0
GRID_SHARPNESS = 8.0  # of the grid of strength one, away from the borders
SPREAD = 0.2  # of the strength, from image to image


def jpeg(pixels: Pixels) -> bytes:
    """Return RGB pixels (height, width, 3) compressed as both of Kaggle's archives are: quality 75, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75, subsampling="4:2:0")
    return buffer.getvalue()


def decode(data: bytes) -> Pixels:
    """Return the RGB pixels (height, width, 3) of an encoded image."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def closest(original: Pixels, candidates: Iterable[Pixels]) -> bytes:
    """Return the candidate, as a JPEG, that is most like the original in size of file and sharpness.

    Args:
        original: (height, width, 3).
        candidates: of the same shape, at least one; of equals the first is taken.
    """
    target = jpeg(original)
    files = [jpeg(candidate) for candidate in candidates]
    sharpness_wanted = sharpness(decode(target))

    def by_size(data: bytes) -> float:
        return 4 * abs(len(data) - len(target)) / (len(data) + len(target))

    def by_sharpness(data: bytes) -> float:
        sharp = sharpness(decode(data))
        return abs(sharp - sharpness_wanted) / (sharp + sharpness_wanted + 1)

    # Sharpness takes a decoding: only those are asked for it whom their size does not put behind the best.
    best, chosen = float("inf"), len(files)
    for distance, number in sorted((by_size(data), number) for number, data in enumerate(files)):
        if distance > best:
            break
        best, chosen = min((best, chosen), (by_sharpness(files[number]) + distance, number))
    return files[chosen]


def _halve(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Low-pass (1, 3, 3, 1) along the first axis and keep every second; eight times as large."""
    p = np.concatenate([x[:1], x, x[-1:]])
    return p[:-3:2] + 3 * p[1:-2:2] + 3 * p[2:-1:2] + p[3::2]


def _double(c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transposed convolution (1, 3, 3, 1) with stride two along the first axis; four times as large."""
    p = np.concatenate([c[:1], c, c[-1:]])
    even = p[:-2] + 3 * p[1:-1]
    odd = 3 * p[1:-1] + p[2:]
    return np.stack([even, odd], axis=1).reshape(2 * c.shape[0], *c.shape[1:])


def _encoded(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the half-resolution code (height / 2, width / 2, channels) of an image."""
    return _halve(_halve(x).swapaxes(0, 1)).swapaxes(0, 1) / 64


def _decoded(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the image (2 height, 2 width, channels) of a code, less its rim, where taps are missing."""
    return (_double(_double(code).swapaxes(0, 1)).swapaxes(0, 1) / 16)[1:-1, 1:-1]


def gan(pixels: Pixels, rng: np.random.Generator) -> bytes:
    """Re-synthesise an image of even height and width by a simulated GAN decoder; return its JPEG.

    After Zhang, Karaman & Chang 2019: the image becomes a code of half its resolution, and a transposed
    convolution brings it back. The layer before has left its checkerboard in the code (its taps overlap
    unevenly: Odena, Dumoulin & Olah 2016), so it appears with a period of four pixels. The detail that the
    code cannot hold is partly lost; noise put into the code stands in for what a generator makes up.

    Args:
        pixels: (height, width, 3), RGB.
        rng: of the noise and the strength of the checkerboard.
    """
    x = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.float64)
    code = _encoded(x)
    height, width = code.shape[:2]
    rows = np.where(np.arange(height) % 2 == 0, -2.0, 2.0)
    columns = np.where(np.arange(width) % 2 == 0, -2.0, 2.0)
    grid = _decoded((rows[:, None] + columns[None, :])[:, :, None])
    invented = _decoded(_normal(rng, (height, width, 1)))
    smooth = _decoded(code)
    detail = x[1:-1, 1:-1] - smooth
    wanted = SHARPER * sharpness(decode(jpeg(pixels)))
    strength = min(max(WEAKEST, (wanted / GRID_SHARPNESS) ** 0.5), STRONGEST)
    strength *= 1 + SPREAD * (2 * rng.random() - 1)

    def candidates() -> Iterable[Pixels]:
        for kept in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
            for noise in (0.0, 3.0, 6.0, 9.0):
                yield _pixels(smooth + kept * detail + strength * grid + noise * invented)

    return closest(pixels, candidates())


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return all but normal noise of variance one: sums of uniform integers, the same on every processor."""
    return rng.integers(-128, 129, size=(6, *shape)).sum(axis=0) / 181.7


def _pixels(x: NDArray[np.float64]) -> Pixels:
    return np.clip(np.floor(x + 0.5), 0, 255).astype(np.uint8)


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
    """Re-synthesise an image by adding noise and taking it away step by step; return its JPEG.

    As a diffusion model does that starts from a noisy image (Ho, Jain & Abbeel 2020), with a filter that
    keeps edges (Perona & Malik 1990) where the model has a network. Some fresh noise is left, as after
    its last step.

    Args:
        pixels: (height, width, 3), RGB.
        rng: of the noise.
    """
    x = pixels.astype(np.float64)
    first, fresh = (_normal(rng, (*x.shape[:2], 1)) for _ in range(2))

    def candidates() -> Iterable[Pixels]:
        for strength in (4.0, 8.0, 14.0):
            y = x + strength * first
            for step in (1, 2, 3, 4):
                y = _denoise(y, (2 * strength) ** 2 / step)
                if step != 3:
                    for left in (0.0, 2.0, 4.0, 7.0, 11.0):
                        yield _pixels(y + left * fresh)

    return closest(pixels, candidates())
