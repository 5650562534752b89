"""Figures as they enter a JSON file."""

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

DIGITS = 10


def rounded(data: Any, digits: int = DIGITS) -> Any:
    """Return `data` as plain dicts, lists and numbers, floats rounded to `digits` significant digits.

    Processors may differ in a sum's last bits; ten digits are more than any figure here is known to and fewer
    than would show that. Takes dataclasses, mappings, sequences, arrays and NumPy scalars. Raises ValueError,
    naming the place, for what JSON cannot say: NaN and infinities.
    """
    return _rounded(data, digits, "")


def _rounded(data: Any, digits: int, place: str) -> Any:
    if is_dataclass(data) and not isinstance(data, type):
        data = asdict(data)
    if isinstance(data, Mapping):
        return {str(key): _rounded(value, digits, f"{place}.{key}") for key, value in data.items()}
    if isinstance(data, np.ndarray | np.generic):
        data = data.tolist()
    if isinstance(data, list | tuple):
        return [_rounded(value, digits, f"{place}[{i}]") for i, value in enumerate(data)]
    if isinstance(data, float):
        if not math.isfinite(data):
            raise ValueError(f"{place.lstrip('.')} is {data}, which must not enter a report")
        return float(f"{data:.{digits}g}") + 0.0  # no -0.0
    return data
