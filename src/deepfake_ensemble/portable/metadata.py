"""The model file's metadata: all that its user must know, in ONNX's own, each field as JSON."""

import dataclasses
import json
import re
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.portable.out_of_distribution import FEATURES, ReferenceDistribution
from deepfake_ensemble.portable.settings import WeightsKeptAs

FORMAT = 2  # raised when a field changes its meaning

DISTANCE = "feature_distance"
"""What the model file calls the output that tells how far an image lies from those of validation."""

DEFAULT = "default"  # the operating point that is used unless another is asked for


@dataclass(frozen=True)
class CalibrationBin:
    """The images whose P(fake) lies in one of the equal-width bins: how many, and how many of them fake."""

    low: float
    high: float
    n: int
    share_fake: Interval


@dataclass(frozen=True)
class ThresholdCounts:
    """How many images are called fake from each threshold on: of the fakes, and of the real ones."""

    thresholds: tuple[float, ...]
    fakes: tuple[int, ...]
    reals: tuple[int, ...]


@dataclass(frozen=True)
class DetectorResults:
    """What was measured of one detector on one data set: metrics by name, calibration, and error counts."""

    metrics: dict[str, Interval]
    calibration: tuple[CalibrationBin, ...]
    called_fake: ThresholdCounts


@dataclass(frozen=True)
class DataSetResults:
    """One data set that was measured on, and what was found.

    Attributes:
        name: as reports/evaluation has it.
        data: what it is, in words.
        n_fake: how many of its images are fake.
        n_real: how many are real.
        confidence: of all intervals.
        unlike_pixels: the share of its images whose pixels' statistics are flagged.
        unlike_features: the share of its images, or of 2,000 of them, whose networks' features are flagged.
        detectors: what was measured of each.
    """

    name: str
    data: str
    n_fake: int
    n_real: int
    confidence: float
    unlike_pixels: Interval
    unlike_features: Interval
    detectors: dict[str, DetectorResults]


@dataclass(frozen=True)
class ModelMetadata:
    """What a user of the model must know.

    Attributes:
        format: FORMAT of the program that wrote it.
        labels: what is called 0 and 1; a probability is that of 1.
        image_size: pixels a side of the network's input.
        interpolation: how images are brought to that size.
        weights: the members' in the ensemble, in the order of the outputs.
        models: the SHA-256 of each member's `.keras` file.
        profile: of params.yaml.
        demonstration: whether it was trained on synthesised images, to show that everything works.
        faces: whether it was trained on faces, aligned as FFHQ's are, and is to be shown nothing else.
        trained_on: the data, in words.
        operating_points: thresholds by detector and name; null where validation is too small for one.
        measured: the internal test first.
        typical: what images of validation look like.
        feature_limit: an image whose output DISTANCE is larger is flagged; of the same quantile as `typical`.
        weights_kept_as: the numbers that the networks' weights are in the file.
        parity: how far its probabilities are at most from the stored ones, on the internal test.
        licence: of the model.
        limits: what it cannot do, a sentence each.
        fingerprint: params, code, data and versions it was made from.
    """

    format: int
    labels: dict[str, str]
    image_size: int
    interpolation: Interpolation
    weights: dict[str, float]
    models: dict[str, str]
    profile: str
    demonstration: bool
    faces: bool
    trained_on: str
    operating_points: dict[str, dict[str, float | None]]
    measured: tuple[DataSetResults, ...]
    typical: ReferenceDistribution
    feature_limit: float
    weights_kept_as: WeightsKeptAs
    parity: float
    licence: str
    limits: tuple[str, ...]
    fingerprint: dict[str, Any]

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(self.weights)

    @property
    def detectors(self) -> tuple[str, ...]:
        """The members and, last, their ensemble: the outputs, in their order."""
        return (*self.weights, ENSEMBLE)


def to_properties(metadata: ModelMetadata) -> dict[str, str]:
    """Return the metadata as ONNX keeps them, text by name: plain words as they are, all else as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, allow_nan=False, ensure_ascii=False)
        for name, value in as_plain(metadata).items()
    }


def as_plain(metadata: ModelMetadata) -> dict[str, Any]:
    """Return the metadata as data for JSON."""
    return dataclasses.asdict(rounded(metadata))


def from_properties(properties: Mapping[str, str]) -> ModelMetadata:
    """Read what `to_properties` wrote; what others wrote is not believed.

    Raises:
        ValueError: saying what is missing or wrong.
    """
    fields = {}
    for field in dataclasses.fields(ModelMetadata):
        if field.name not in properties:
            raise ValueError(f"says nothing of its {field.name}")
        text = properties[field.name]
        is_text = field.type in (str, Interpolation, WeightsKeptAs)
        fields[field.name] = text if is_text else json.loads(text, parse_constant=_refuse)
        if field.name == "format" and fields["format"] != FORMAT:
            raise ValueError(f"has format {text}; this program reads {FORMAT}")
    metadata = _as_type(ModelMetadata, fields, "metadata")
    _check(metadata)
    return metadata


def _refuse(constant: str) -> None:
    raise ValueError(f"says {constant} in its metadata")


def _as_type(type_: Any, data: Any, place: str) -> Any:
    """Return JSON's `data` as `type_`: a dataclass, a tuple, dict or union of types, or a plain one."""
    origin, arguments = get_origin(type_), get_args(type_)
    if dataclasses.is_dataclass(type_) and isinstance(data, dict):
        hints = get_type_hints(type_)
        if set(hints) != set(data):  # so that no key of the file's is shown
            raise ValueError(f"has other keys than {', '.join(hints)} in {place}")
        return type_(**{key: _as_type(hint, data[key], f"{place}.{key}") for key, hint in hints.items()})  # type: ignore[operator]
    if origin is tuple and isinstance(data, list):
        return tuple(_as_type(arguments[0], value, f"{place}[{i}]") for i, value in enumerate(data))
    if origin is dict and isinstance(data, dict):
        if not all(key.isprintable() for key in data):
            raise ValueError(f"has a key with control characters in {place}")
        return {key: _as_type(arguments[1], value, f"{place}.{key}") for key, value in data.items()}
    if origin is types.UnionType and data is not None:  # with None, the only kind that occurs here
        return _as_type(arguments[0], data, place)
    if not _is_plain(type_, data):
        raise ValueError(f"has something else in {place} than it should")
    return float(data) if type_ is float else data


def _is_plain(type_: Any, data: Any) -> bool:
    if type_ is float:
        return type(data) in (int, float) and abs(data) <= sys.float_info.max
    if get_origin(type_) is Literal:
        return data in get_args(type_)
    if type_ is str:
        return type(data) is str and data.isprintable()
    return type_ is Any or type(data) is type_ or (data is None and types.NoneType in get_args(type_))


def _check(metadata: ModelMetadata) -> None:
    """Refuse what has the right types and makes no sense."""
    names, size = set(metadata.detectors), len(FEATURES)
    inverse = metadata.typical.inverse_covariance
    checks = {
        "labels": set(metadata.labels) == {"0", "1"},
        "image_size": 32 <= metadata.image_size <= 1024,
        # They are names of files too.
        "weights": bool(metadata.weights)
        and ENSEMBLE not in metadata.weights
        and all(re.fullmatch(r"[a-z0-9_]+", name) for name in metadata.weights),
        "models": set(metadata.models) == set(metadata.weights),
        "operating_points": set(metadata.operating_points) == names
        and all(points.get(DEFAULT) is not None for points in metadata.operating_points.values()),
        "measured": bool(metadata.measured)
        and all(set(each.detectors) == names for each in metadata.measured),
        "typical": len(metadata.typical.mean) == len(inverse) == size
        and all(len(row) == size for row in inverse),
        "feature_limit": metadata.feature_limit > 0,
        "parity": metadata.parity >= 0,
    }
    for each in metadata.measured:
        checks["measured"] &= each.n_fake > 0 and each.n_real > 0 and 0 < each.confidence < 1
        for detector in each.detectors.values():
            counts = detector.called_fake
            checks["measured"] &= len(counts.thresholds) == len(counts.fakes) == len(counts.reals) > 0
            checks["measured"] &= all(0 <= count <= each.n_fake for count in counts.fakes)
            checks["measured"] &= all(0 <= count <= each.n_real for count in counts.reals)
    for field, good in checks.items():
        if not good:
            raise ValueError(f"has in metadata.{field} what does not fit the rest")
