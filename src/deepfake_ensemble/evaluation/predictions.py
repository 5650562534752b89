"""Tables of predictions: one row per image, in the split's order."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from deepfake_ensemble.foundation.errors import UserError

HEADER = ("path", "label", "p_fake")


@dataclass(frozen=True)
class Predictions:
    """What one detector says of n images.

    paths: the images' names in their archive; labels: int array (n,), 1 = fake, 0 = real;
    p_fake: float64 array (n,), the probability that the image is fake.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    p_fake: np.ndarray


@dataclass(frozen=True)
class Aligned:
    """What several detectors say of the same n images: `p_fake` has one array (n,) per detector."""

    paths: tuple[str, ...]
    labels: np.ndarray
    p_fake: dict[str, np.ndarray]


def read(path: Path) -> Predictions:
    """Read `path,label,p_fake` strictly.

    Raises UserError, naming file and line, for another header, no rows, missing or additional fields, a path
    that is empty or occurs twice, a label other than 0 or 1, a probability that is no number in [0, 1].
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _parse(path, csv.reader(file))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; `dvc repro` makes it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a table of text ({error}); delete it and run `dvc repro`") from None


def _parse(path: Path, reader) -> Predictions:
    header = next(reader, None)
    if header is None:
        raise UserError(f"{path}: empty; delete it and run `dvc repro`")
    if tuple(header) != HEADER:
        _refuse(path, 1, f"the header is {','.join(header)!r}, not {','.join(HEADER)!r}")
    paths: list[str] = []
    labels: list[int] = []
    p_fake: list[float] = []
    seen: set[str] = set()
    for row in reader:
        line = reader.line_num
        if len(row) != len(HEADER):
            _refuse(path, line, f"{len(row)} fields where {len(HEADER)} belong")
        name, label, text = row
        if not name or name in seen:
            _refuse(path, line, f"path {name!r} occurs a second time" if name else "the path is empty")
        if label not in ("0", "1"):
            _refuse(path, line, f"label {label!r} is neither 0 (real) nor 1 (fake)")
        try:
            probability = float(text)
        except ValueError:
            _refuse(path, line, f"p_fake {text!r} is not a number")
        if not 0 <= probability <= 1:  # also refuses NaN
            _refuse(path, line, f"p_fake {text!r} is not a probability in [0, 1]")
        seen.add(name)
        paths.append(name)
        labels.append(label == "1")
        p_fake.append(probability)
    if not paths:
        raise UserError(f"{path}: no rows below the header; delete it and run `dvc repro`")
    return Predictions(tuple(paths), np.array(labels, dtype=np.int64), np.array(p_fake, dtype=np.float64))


def _refuse(path: Path, line: int, what: str) -> NoReturn:
    raise UserError(f"{path}, line {line}: {what}; delete it and run `dvc repro`")


def read_split(
    detectors: Iterable[str],
    split: str,
    paths: Sequence[str] | None = None,
    folder: Path = Path("predictions"),
) -> Aligned:
    """Read what detectors say of a split, from `FOLDER/DETECTOR/SPLIT.csv`.

    Args:
        detectors: their names.
        split: val, test, or a data set that is only predicted.
        paths: of the images that it must be of, in their order; None leaves that open.
        folder: of the predictions.

    Raises:
        UserError: if a table is missing or damaged, or they are not of the same images, or not of `paths`.
    """
    found = aligned({name: read(folder / name / f"{split}.csv") for name in detectors})
    if paths is not None and found.paths != tuple(paths):
        raise UserError(
            f"{folder}: {split}.csv is not of the images that are packed; run `dvc repro -sf predict`"
        )
    return found


def aligned(members: Mapping[str, Predictions]) -> Aligned:
    """Join the predictions of several detectors, which must be of the same images in the same order.

    Raises UserError, naming the two detectors and the first row, if paths, labels or counts differ.
    """
    if not members:
        raise UserError("predictions: no model given; name at least one under models in params.yaml")
    (first, reference), *others = members.items()
    for name, other in others:
        between = f"predictions of {first} and {name}"
        again = "delete both and run `dvc repro`"
        for row, (ours, theirs) in enumerate(zip(reference.paths, other.paths, strict=False), start=1):
            if ours != theirs:
                raise UserError(f"{between} differ in row {row}: {ours!r} and {theirs!r}; {again}")
        if len(reference.paths) != len(other.paths):
            counts = f"{len(reference.paths)} and {len(other.paths)} images"
            raise UserError(f"{between} differ in number: {counts}; {again}")
        unlike = np.flatnonzero(reference.labels != other.labels)
        if len(unlike):
            row = int(unlike[0])
            what = f"labels of row {row + 1} ({reference.paths[row]!r})"
            raise UserError(
                f"{between} differ in the {what}: {reference.labels[row]} and {other.labels[row]}; {again}"
            )
    return Aligned(reference.paths, reference.labels, {name: m.p_fake for name, m in members.items()})
