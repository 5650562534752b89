"""How a room declares its section of params.yaml, and the types of keys that several sections share."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar, dataclass_transform

from annotated_types import Ge, Le, Lt

Seed = Annotated[int, Ge(0)]
# What Python takes as PYTHONHASHSEED, and NumPy's older generators and scikit-learn as a seed.
Seed32 = Annotated[int, Ge(0), Lt(2**32)]

# The data set that is split and trained on, and the evaluation on its own test split; all others are only
# predicted.
INTERNAL = "internal"
INTERNAL_SPLITS = ("train", "val", "test")

# How images are brought to the networks' input, and the side of that in pixels: the deepest network halves it
# five times. They stand here because pages and checks name them, too, which must not depend on the reading.
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
ImageSize = Annotated[int, Ge(32), Le(1024)]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass that the loader of params.yaml fills strictly.

    Every field is a key: unknown and missing keys, other types, NaN and infinities are refused. Ranges
    stand in the types, as `Annotated[int, Ge(1)]`, and choices as `Literal["a", "b"]`.
    """
    cls = dataclass(frozen=True, kw_only=True)(cls)
    # Pydantic's own name for its settings on a plain dataclass; so rooms need not import pydantic.
    cls.__pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # type: ignore[attr-defined]
    return cls
