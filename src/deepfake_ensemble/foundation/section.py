"""How a wing declares its section of params.yaml, and what a seed in it may be."""

from dataclasses import dataclass
from typing import Annotated, TypeVar, dataclass_transform

from annotated_types import Ge, Lt

Seed = Annotated[int, Ge(0)]
# What Python takes as PYTHONHASHSEED, and NumPy's older generators and scikit-learn as a seed.
Seed32 = Annotated[int, Ge(0), Lt(2**32)]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass that the loader of params.yaml fills strictly.

    Every field is a key: unknown and missing keys, other types, NaN and infinities are refused. Ranges
    stand in the types, as `Annotated[int, Ge(1)]`, and choices as `Literal["a", "b"]`.
    """
    cls = dataclass(frozen=True, kw_only=True)(cls)
    # Pydantic's own name for its settings on a plain dataclass; so wings need not import pydantic.
    cls.__pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # type: ignore[attr-defined]
    return cls
