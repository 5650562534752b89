"""Classifying images from Python: `deepfake_ensemble.load("ensemble.onnx").predict(["photo.jpg"])`."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.classifier import Classifier, Device
from deepfake_ensemble.portable.metadata import DEFAULT, ModelMetadata
from deepfake_ensemble.use.classifying import Classified, FacesMode, Failed, classify
from deepfake_ensemble.use.formats import record
from deepfake_ensemble.use.inputs import Input, StorageFault, file_at
from deepfake_ensemble.use.opening import open_classifier
from deepfake_ensemble.use.statements import Statement
from deepfake_ensemble.use.verdicts import DecisionRule, decision_rule, shown, told

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Detector", "Prediction", "Predictions", "Statement", "StorageFault", "UserError", "load"]

Picture: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""An image's path, its file's bytes, Pillow's image, or an array (height, width, 3) or (height, width)."""


@dataclass(frozen=True)
class FacePrediction:
    """What the detectors say of one face.

    Attributes:
        box: around it, in pixels of the upright image: left, top, right, bottom.
        angle: by which it is turned, in degrees, clockwise as seen.
        p_fake: P(fake) by detector, and the ensemble's where there are several.
        verdict: "fake" or "real".
        unlike_training: as of an image.
        unlike_by: as of an image.
        meaning: as of an image.
    """

    box: tuple[int, int, int, int]
    angle: float
    p_fake: Mapping[str, float]
    verdict: str
    unlike_training: bool
    unlike_by: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Prediction:
    """What the detectors say of one image; an image that could not be used has an `error` and no verdict.

    Attributes:
        image: its path, or its place in the list if it has none.
        verdict: "fake" or "real".
        p_fake: P(fake) by detector, and the ensemble's where there are several.
        unlike_training: whether it is unlike the images of training.
        unlike_by: by what: "pixels" (brightness, contrast, colour, detail), "features" (what the networks
            make of it, which only the ensemble tells).
        meaning: what such a probability meant where the truth was known.
        decided_by: whose probability the verdict is from.
        threshold: from which on an image is called fake.
        reals_called_fake: share of the internal test's real images that this threshold calls fake.
        fakes_called_real: share of its fakes that it calls real.
        measured_on: what that test is.
        worst_reals_called_fake: the same where it did worst of all data sets that it was measured on.
        worst_fakes_called_real: as well.
        worst_measured_on: which that is.
        demonstration: whether the models only show that everything works.
        note: what of the image's file was not used.
        statements: what its file says of its making, which can be missing, removed or forged; None if it was
            not used.
        error: why the image could not be used.
        size: width and height of the image, upright.
        faces: those that were found, the largest first; the one that is most likely fake gave the image its
            verdict. None if faces were not looked for.
    """

    image: str
    verdict: str | None
    p_fake: Mapping[str, float]
    unlike_training: bool | None
    unlike_by: tuple[str, ...] | None
    meaning: str | None
    decided_by: str
    threshold: float
    reals_called_fake: float | None
    fakes_called_real: float | None
    measured_on: str | None
    worst_reals_called_fake: float | None
    worst_fakes_called_real: float | None
    worst_measured_on: str | None
    demonstration: bool
    note: str | None
    statements: tuple[Statement, ...] | None
    error: str | None
    size: tuple[int, int] | None
    faces: tuple[FacePrediction, ...] | None


class Predictions(list[Prediction]):
    """Predictions in the order of the images."""

    def to_pandas(self) -> "pd.DataFrame":
        """Return a table with a row for each image and a column for each detector; needs pandas."""
        import pandas as pd

        order = list(dict.fromkeys(name for each in self for name in each.p_fake))
        rows = []
        for each in self:
            fields = asdict(each)
            p_fake = fields.pop("p_fake")
            rows.append(
                {"image": fields.pop("image"), **{name: p_fake.get(name) for name in order}, **fields}
            )
        return pd.DataFrame(rows)


class Detector:
    """An open model file.

    Attributes:
        metadata: what the file says of itself: detectors, operating points, what was measured.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.metadata: ModelMetadata = classifier.metadata

    def predict(
        self,
        images: Iterable[Picture],
        *,
        model: str = ENSEMBLE,
        threshold: str | float = DEFAULT,
        faces: FacesMode = "auto",
    ) -> Predictions:
        """Classify images; one that cannot be used costs only its own result.

        Args:
            images: any mixture of what `Picture` is.
            model: which detector decides.
            threshold: from which P(fake) on an image is called fake: a multiple of 0.01, or the name of an
                operating point: default, youden, fpr_1_percent, fpr_1_permille.
            faces: what is classified: faces where the models were trained on faces (auto), the whole image
                (whole), or faces in any case (only).

        Raises:
            UserError: if there is no such detector or threshold.
            StorageFault: if what an image lies on fails.
        """
        if isinstance(images, str | bytes | os.PathLike | Image.Image | np.ndarray):
            raise UserError(f"predict: wants a list of images, [image], not one {type(images).__name__}")
        rule = decision_rule(self.metadata, model, str(threshold))
        inputs = (_input(number, each) for number, each in enumerate(images))
        results = classify(self._classifier, inputs, shown(self.metadata, rule), faces)
        return Predictions(_prediction(each, self.metadata, rule) for each in results)


def load(file: str | os.PathLike[str], *, device: Device = "auto", threads: int = 0) -> Detector:
    """Open a model file.

    Args:
        file: its path.
        device: what computes: cpu, cuda, or auto, which takes a GPU if there is one that can be used.
        threads: that compute; 0 takes all cores this process may use.

    Raises:
        UserError: saying why, if it cannot be used.
    """
    return Detector(open_classifier(Path(file), device, threads))


def _input(number: int, image: Picture) -> Input:
    if isinstance(image, str | os.PathLike):
        return file_at(Path(image))
    if isinstance(image, bytes | Image.Image):
        return Input(f"image {number}", partial(_itself, image))
    pixels = np.asarray(image)
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (2, 3)
        or pixels.shape[2:] not in ((), (1,), (3,), (4,))
    ):
        raise UserError(
            f"predict: image {number} is an array {pixels.shape} of {pixels.dtype}; one of uint8 is wanted,"
            " (height, width, 3) of RGB, (height, width, 4) with opacity or (height, width) of grey"
        )
    if pixels.shape[2:] == (1,):
        pixels = pixels[:, :, 0]
    return Input(f"image {number}", partial(_itself, Image.fromarray(pixels)))


def _itself(image: bytes | Image.Image) -> bytes | Image.Image:
    return image


def _prediction(result: Classified | Failed, metadata: ModelMetadata, rule: DecisionRule) -> Prediction:
    fields = record(result, metadata, rule)
    for name in told(metadata):
        del fields[name]
    if isinstance(result, Failed):
        return Prediction(p_fake={}, **fields)
    fields["size"], fields["statements"] = result.image.size, result.image.statements
    fields["unlike_by"] = tuple(fields["unlike_by"])
    if result.faces is not None:
        faces = zip(result.faces, fields["faces"], strict=True)
        fields["faces"] = tuple(_face(each, of, metadata) for each, of in faces)
    return Prediction(p_fake=dict(result.p_fake), **fields)


def _face(result: Classified, fields: dict[str, Any], metadata: ModelMetadata) -> FacePrediction:
    others = {name: value for name, value in fields.items() if name not in told(metadata)}
    return FacePrediction(
        p_fake=dict(result.p_fake), **others | {name: tuple(fields[name]) for name in ("box", "unlike_by")}
    )
