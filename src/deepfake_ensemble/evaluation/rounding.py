"""Figures as they enter a JSON file."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

DIGITS = 10


def rounded(data: Any, digits: int = DIGITS) -> Any:
    """Return `data` with floats rounded to `digits` significant digits, arrays as lists and keys as text.

    Processors may differ in a sum's last bits; ten digits are more than any figure here is known to and fewer
    than would show that. Takes dataclasses, which stay what they are, mappings, sequences, arrays and NumPy
    scalars.

    Raises:
        ValueError: naming the place, for what JSON cannot say: NaN and infinities.
    """
    return _rounded(data, digits, "")


def _rounded(data: Any, digits: int, place: str) -> Any:
    if is_dataclass(data) and not isinstance(data, type):
        values = {field.name: getattr(data, field.name) for field in fields(data)}
        return replace(data, **_rounded(values, digits, place))
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
