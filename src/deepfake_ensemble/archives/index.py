"""The tables that say which image is what: the index of a data set, and the splits made from it."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv

USABLE = "ok"
CLASS_NAMES = ("real", "fake")  # by label
_SHA256 = re.compile(r"[0-9a-f]{64}")


class SplitRow(NamedTuple):
    """An image of a split: its path in the archive, its label (1 = fake), the SHA-256 of the file's bytes."""

    path: str
    label: int
    sha256: str


class IndexRow(NamedTuple):
    """An image of a data set; `status` is `ok`, or the reason why the image is not used."""

    path: str
    label: int
    sha256: str
    status: str


def write_index(path: Path, rows: Iterable[IndexRow]) -> None:
    """Write `data/index/SET.csv`."""
    write_csv(path, IndexRow._fields, rows)


def write_split(path: Path, rows: Iterable[SplitRow]) -> None:
    """Write `data/splits/SPLIT.csv`."""
    write_csv(path, SplitRow._fields, rows)


def read_index(path: Path) -> list[IndexRow]:
    """Return what `write_index` wrote.

    Raises:
        UserError: if the table is missing, or a line, which it names, cannot be such a row.
    """
    return [IndexRow(p, label, sha, status) for p, label, sha, status in _read(path, IndexRow._fields)]


def read_split(path: Path) -> list[SplitRow]:
    """Return what `write_split` wrote.

    Raises:
        UserError: as `read_index`.
    """
    return [SplitRow(p, label, sha) for p, label, sha in _read(path, SplitRow._fields)]


def _read(path: Path, header: tuple[str, ...]) -> Iterable[tuple]:
    stage = "audit" if header == IndexRow._fields else "split"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file, strict=True)
            good = tuple(next(lines, ())) == header
            for cells in lines if good else ():
                good = len(cells) == len(header) and all(cells)
                good = good and cells[1] in ("0", "1") and _SHA256.fullmatch(cells[2]) is not None
                if not good:
                    break
                yield cells[0], int(cells[1]), *cells[2:]
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such table; run the {stage} stage first") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table of images ({error}); run the {stage} stage again") from error
    if not good:
        line = max(lines.line_num, 1)
        raise UserError(f"{path}: line {line} is not {','.join(header)}; run the {stage} stage again")
