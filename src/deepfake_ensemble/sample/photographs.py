"""The photographs that scientific Python packages carry in their wheels, cut into tiles for the sample data.

The packages' own loaders may fetch a file that is missing; here files are read from the installed package's
folder, so that nothing is ever fetched. All are free to use: public domain or CC0, but for china and flower
(CC BY 2.0, Flickr users danielbuechele and vultilion).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.foundation.errors import UserError

# The order is part of the recipe: it decides the order of random choices and the suffixes of CIFAKE's names.
COLOUR_PHOTOGRAPHS = (
    "skimage/data/astronaut.png",
    "skimage/data/chelsea.png",
    "skimage/data/coffee.png",
    "skimage/data/rocket.jpg",
    "skimage/data/retina.jpg",
    "skimage/data/ihc.png",
    "skimage/data/hubble_deep_field.jpg",
    "skimage/data/motorcycle_left.png",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
)
MORE_PHOTOGRAPHS = (
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "skimage/data/camera.png",
    "skimage/data/brick.png",
    "skimage/data/grass.png",
    "skimage/data/gravel.png",
    "skimage/data/moon.png",
)
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}

FLAT = 60
"""A tile whose Laplacian has a variance below this, in squared grey levels, is left out: in a smooth one the
size of the file would tell of a generator's trace."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A region of a photograph.

    Attributes:
        photograph: its name.
        x: of the upper left corner, in the photograph.
        y: likewise.
        pixels: (height, width, 3), RGB.
    """

    photograph: str
    x: int
    y: int
    pixels: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """Its height, in pixels; of a square also its width."""
        return self.pixels.shape[0]

    def cut(self, size: int) -> "Iterator[Tile]":
        """Yield the squares of `size` pixels that fit in a grid from this tile's corner, row by row."""
        for y in range(0, self.pixels.shape[0] - size + 1, size):
            for x in range(0, self.pixels.shape[1] - size + 1, size):
                pixels = self.pixels[y : y + size, x : x + size]
                yield Tile(photograph=self.photograph, x=self.x + x, y=self.y + y, pixels=pixels)


def read(name: str) -> Tile:
    """Return a whole photograph as one RGB tile.

    Args:
        name: package and path within it, as in COLOUR_PHOTOGRAPHS.

    Raises:
        UserError: if the package or the file is not installed, or the file cannot be read.
    """
    package, _, path = name.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(
            f"{name}: the sample data need this photograph; install {DISTRIBUTIONS[package]} (`make setup`)"
        )
    file = Path(spec.origin).parent / path
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise UserError(
            f"{file}: the photograph is missing or damaged ({type(error).__name__}); "
            f"reinstall {DISTRIBUTIONS[package]}, or choose another source than sample"
        ) from error
    return Tile(photograph=name, x=0, y=0, pixels=pixels)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the ITU-R 601 grey values (height, width) of RGB pixels (height, width, 3)."""
    return np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.int32)


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return the variance of the four-neighbour Laplacian of the grey values, from exact integer sums."""
    g = grey(pixels)
    laplacian = g[1:-1, :-2] + g[1:-1, 2:] + g[:-2, 1:-1] + g[2:, 1:-1] - 4 * g[1:-1, 1:-1]
    n = laplacian.size
    squares = int((laplacian * laplacian).sum(dtype=np.int64))
    return (n * squares - int(laplacian.sum(dtype=np.int64)) ** 2) / n**2


def is_flat(tile: Tile) -> bool:
    """Say whether a tile shows little: sky, a border, a blurred background."""
    return sharpness(tile.pixels) < FLAT
