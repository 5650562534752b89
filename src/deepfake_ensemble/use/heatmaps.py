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
from deepfake_ensemble.faces.cropping import Square
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.use.classifying import Classified
from deepfake_ensemble.use.verdicts import DecisionRule

_PACKAGES = ("keras", "tensorflow", "matplotlib")
_SIDE = 256  # pixels of a picture, if the network sees fewer
_PHOTOGRAPH = 1024  # of the longer side of one that shows a photograph, at most


class Heatmaps:
    """Explains images with the models that a model file was made from, loaded when they are needed."""

    def __init__(self, metadata: ModelMetadata, folder: Path) -> None:
        """Explain with the members of the model file of `metadata`, whose `.keras` files lie in `folder`."""
        self.missing = _missing(metadata, folder)
        """What keeps images from being explained; None if nothing does."""
        # As it loads, TensorFlow complains that there is no GPU, and reads as if something had gone wrong.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("KERAS_HOME", os.devnull)  # else it writes its settings into the user's home
        self._metadata = metadata
        self._folder = folder
        self._members: dict[str, object] = {}

    def pictures(
        self, result: Classified, photograph: Image.Image, rule: DecisionRule, detectors: Sequence[str]
    ) -> dict[str, bytes]:
        """Return a picture's file by detector: the heat over an image, or over the faces in a photograph.

        Args:
            result: of the image.
            photograph: the image, RGB and upright.
            rule: by which it got its verdict, which the heat is for.
            detectors: as for `overlaid`.
        """
        parts = result.faces or (result,)
        maps = [
            self.overlaid(part.image.pixels, rule.verdict(part.p_fake[rule.detector]) == "fake", detectors)
            for part in parts
        ]
        if parts[0].image.around is None:  # the whole image
            return {name: as_png(Image.fromarray(pixels)) for name, pixels in maps[0].items()}
        squares = [part.image.around for part in parts if part.image.around]
        return {
            name: as_png(_on_photograph(photograph, squares, [each[name] for each in maps]))
            for name in detectors
        }

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


def _on_photograph(
    photograph: Image.Image, squares: Sequence[Square], maps: Sequence[NDArray[np.uint8]]
) -> Image.Image:
    """Lay what is drawn on faces over the photograph in grey, where they were cut out, the largest first."""
    scale = min(1, _PHOTOGRAPH / max(photograph.size))
    size = max(1, round(photograph.width * scale)), max(1, round(photograph.height * scale))
    ground = photograph.resize(size).convert("L").convert("RGB")
    for around, pixels in zip(squares, maps, strict=True):
        side = max(1, round(min(around.side * scale, 2 * _PHOTOGRAPH)))
        face = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).convert("RGBA")
        face = face.rotate(-around.angle, Image.Resampling.BICUBIC, expand=True)
        corner = round(around.x * scale - face.width / 2), round(around.y * scale - face.height / 2)
        ground.paste(face.convert("RGB"), corner, face.getchannel("A"))
    return ground


def as_png(image: Image.Image) -> bytes:
    """Return a picture's file, large enough to see something."""
    enlarge = max(1, _SIDE / image.width)
    out = io.BytesIO()
    size = round(image.width * enlarge), max(1, round(image.height * enlarge))
    image.resize(size, Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def write(folder: Path, number: int, name: str, pictures: Mapping[str, bytes]) -> None:
    """Write the pictures of one image, called after it and numbered, since names may repeat."""
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in Path(name).name)[:80]
    for detector, file in pictures.items():
        (folder / f"{number:05}-{stem}.{detector}.png").write_bytes(file)
