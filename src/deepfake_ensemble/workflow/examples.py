"""The pictures that `serve` offers to try: crops of free photographs, and the same ones re-synthesised.

    python -m deepfake_ensemble.workflow.examples

They are made as the sample's data are, from photographs that anybody may show (CC0, public domain), and are
in git, because the light installation lacks what makes them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deepfake_ensemble.sample import photographs, synthesis

FOLDER = Path("src/deepfake_ensemble/use/page/examples")
SIDE = 256  # pixels
CROPS = {
    "chelsea": ("skimage/data/chelsea.png", 100, 22),
    "coffee": ("skimage/data/coffee.png", 190, 60),
    "rocket": ("skimage/data/rocket.jpg", 190, 130),
    "astronaut": ("skimage/data/astronaut.png", 120, 0),  # for detectors that know faces only
}
"""Of each photograph, and where its corner lies."""


def examples() -> Iterator[tuple[str, bytes]]:
    """Yield a real crop and its re-synthesised twin of each photograph, by file name."""
    rng = np.random.default_rng(1)
    for name, (photograph, x, y) in CROPS.items():
        pixels = photographs.read(photograph).pixels[y : y + SIDE, x : x + SIDE]
        yield f"{name}-real.jpg", synthesis.jpeg(pixels)
        yield f"{name}-made.jpg", synthesis.gan(pixels, rng)


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in examples():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
