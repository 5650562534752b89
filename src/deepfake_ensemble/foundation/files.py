"""Write files that are either complete or absent, and the same bytes every time; ask for room before.

A result that pages read has a dataclass in the room that computes it: `write_json` writes it, `read_result`
reads it back.
"""

import csv
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.filesize import decimal

from deepfake_ensemble.foundation.errors import UserError

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from typing_extensions import TypeForm

T = TypeVar("T")


@contextmanager
def replacing_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` if the block succeeds.

    With `durable` not before its bytes are on the disk: a power cut leaves the one or the other whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.unlink(missing_ok=True)
    try:
        yield partial
        if durable:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path` to fill; it takes the place of `path` if the block succeeds."""
    partial, replaced = _partial(path), path.with_name(f".replaced-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        # Moved away whole before it is removed: a kill in between must not leave half of it as a result.
        shutil.rmtree(replaced, ignore_errors=True)
        if path.exists():
            path.replace(replaced)
        partial.replace(path)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial(path: Path) -> Path:
    # One name per target: what a killed run left behind is overwritten by the next one, never piled up.
    return path.with_name(f".partial-{path.name}")


def require_room(folder: Path, needed: int, what: str) -> None:
    """Make sure that `needed` more bytes fit into `folder`, which must exist.

    Raises:
        UserError: if they do not: better told before a large file is written than found at its end.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder}: {what} needs {decimal(needed)} of disk and {decimal(free)} are free: "
            "make room and run the same command again"
        )


def write_json(path: Path, data: Any) -> None:
    """Write `data` as indented JSON; keys and fields keep their order, NaN and infinities are refused."""
    text = json.dumps(data, indent=2, allow_nan=False, default=asdict)
    with replacing_file(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str = ",") -> None:
    """Write a table with Unix line ends; floats are written with all their digits."""
    with (
        replacing_file(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: if it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; `dvc repro` makes it") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); restore it from git, or run `dvc repro`") from None


def read_result(path: Path, type_: "TypeForm[T]") -> T:
    """Return the content of a JSON file that `write_json` wrote, as `type_`: a dataclass, or a dict of them.

    Raises:
        UserError: if it is missing, not JSON, or not what the type says: naming the first place that is not.
    """
    from pydantic import ValidationError

    wanted: Any = type_  # which type checkers do not know to be hashable
    try:
        return _adapter(wanted).validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        raise UserError(f"{path}: missing; `dvc repro` makes it") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"{part}: " for part in first["loc"])
        said = f"not JSON ({first['msg']})" if first["type"] == "json_invalid" else f"{place}{first['msg']}"
        problem = ascii(said)[1:-1]
        raise UserError(f"{path}: {problem}; restore it from git, or run `dvc repro`") from None


@functools.cache
def _adapter(type_: Any) -> "TypeAdapter":
    from pydantic import TypeAdapter

    return TypeAdapter(type_)
