"""Where the detectors look, by Grad-CAM: the one thing here that needs TensorFlow and the members' files."""

import io
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.portable.metadata import ModelMetadata

_PACKAGES = ("keras", "tensorflow", "matplotlib")
_SIDE = 256  # pixels of a picture, if the network sees fewer


class Heatmaps:
    """Explains images with the models that a model file was made from, loaded when they are needed."""

    def __init__(self, metadata: ModelMetadata, folder: Path) -> None:
        """Explain with the members of the model file of `metadata`, whose `.keras` files lie in `folder`."""
        self.missing = _missing(metadata, folder)
        """What keeps images from being explained; None if nothing does."""
        # As it loads, TensorFlow complains that there is no GPU, and reads as if something had gone wrong.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self._metadata = metadata
        self._folder = folder
        self._members: dict[str, object] = {}

    def overlaid(
        self, pixels: NDArray[np.uint8], towards_fake: bool, detectors: Sequence[str]
    ) -> dict[str, NDArray[np.uint8]]:
        """Return an image (size, size, 3) in grey with a detector's heat over it, by detector.

        Args:
            pixels: (size, size, 3) as the networks see it.
            towards_fake: whether the heat marks what speaks for fake, or for real.
            detectors: members, or the ensemble, whose heat is its members' by their weights.
        """
        from deepfake_ensemble.explanation.gradcam import enlarged, of_ensemble, overlaid

        weights = self._metadata.weights
        members = list(weights) if ENSEMBLE in detectors else [name for name in weights if name in detectors]
        heat = {
            name: enlarged(self._member(name).maps(pixels[None], np.array([towards_fake])), len(pixels))
            for name in members
        }
        if ENSEMBLE in detectors:
            heat[ENSEMBLE] = of_ensemble(heat, weights)
        return {name: overlaid(pixels, heat[name][0]) for name in detectors}

    def _member(self, name: str):
        from deepfake_ensemble.explanation.gradcam import GradCam
        from deepfake_ensemble.models import saved

        if name not in self._members:
            self._members[name] = GradCam(saved.load(self._folder / f"{name}.keras"))
        return self._members[name]


def _missing(metadata: ModelMetadata, folder: Path) -> str | None:
    absent = [name for name in _PACKAGES if find_spec(name) is None]
    if absent:
        return f"Grad-CAM needs {', '.join(absent)}, which deepfake-ensemble[train] installs"
    for name, digest in metadata.models.items():
        file = folder / f"{name}.keras"
        if not file.is_file():
            return f"Grad-CAM needs {file}, which is not there; `dvc pull` fetches it"
        if sha256(file) != digest:
            return f"{file}: not the model that the model file was made from; run `dvc repro export`"
    return None


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture's file, large enough to see something."""
    image = Image.fromarray(pixels)
    side = max(_SIDE, image.width)
    out = io.BytesIO()
    image.resize((side, side), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def write(folder: Path, number: int, name: str, maps: Mapping[str, NDArray[np.uint8]]) -> None:
    """Write the pictures of one image, called after it and numbered, since names may repeat."""
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in Path(name).name)[:80]
    for detector, pixels in maps.items():
        (folder / f"{number:05}-{stem}.{detector}.png").write_bytes(as_png(pixels))
