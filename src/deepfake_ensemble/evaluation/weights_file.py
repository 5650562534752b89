"""The ensemble's weights as a file."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json


def write(path: Path, weights: Mapping[str, float]) -> None:
    """Write the weights by model, with all their digits."""
    write_json(path, dict(weights))


def read(path: Path) -> dict[str, float]:
    """Read the weights by model.

    Raises:
        UserError: if the file is missing, or does not hold weights from 0 on that sum to 1.
    """
    try:
        weights = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; `dvc repro weigh` makes it") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); run `dvc repro -sf weigh`") from None
    if not isinstance(weights, dict) or not weights:
        raise UserError(f"{path}: holds no weights; run `dvc repro -sf weigh`")
    for model, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
            name = model if model.isprintable() else ascii(model)
            raise UserError(
                f"{path}: {name}: {weight!r} is not a weight from 0 to 1; run `dvc repro -sf weigh`"
            )
    if not math.isclose(math.fsum(weights.values()), 1, abs_tol=1e-9):
        raise UserError(
            f"{path}: the weights sum to {math.fsum(weights.values())}, not 1; run `dvc repro -sf weigh`"
        )
    return {model: float(weight) for model, weight in weights.items()}
