"""A section of params.yaml is a frozen dataclass with strict fields."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.section import section


@section
class Recipe:
    epochs: Annotated[int, Ge(1)]
    rate: float
    mode: Literal["fast", "slow"]


GOOD = {"epochs": 3, "rate": 0.5, "mode": "fast"}


def test_a_section_is_filled_by_its_keys_and_cannot_be_changed() -> None:
    recipe = params.check("recipe", GOOD, Recipe)
    assert recipe == Recipe(epochs=3, rate=0.5, mode="fast")
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 4  # type: ignore[misc]


def test_fields_have_names_not_positions() -> None:
    with pytest.raises(TypeError):
        Recipe(3, 0.5, "fast")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epochs": 0}, "recipe.epochs: 0 is not allowed"),
        ({"epochs": 2.5}, "recipe.epochs: 2.5 is not allowed"),
        ({"epochs": "3"}, 'recipe.epochs: "3" is not allowed'),
        ({"epochs": True}, "recipe.epochs: true is not allowed"),
        ({"rate": float("nan")}, "recipe.rate: "),
        ({"rate": float("inf")}, "recipe.rate: "),
        ({"rate": None}, "recipe.rate: null is not allowed"),
        ({"mode": "medium"}, 'recipe.mode: "medium" is not allowed'),
        ({"epoch": 3}, "recipe.epoch: unknown key; did you mean epochs?"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        params.check("recipe", GOOD | change, Recipe)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", GOOD)
def test_each_key_must_be_there(key: str) -> None:
    data = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(UserError, match=rf"recipe\.{key}: missing"):
        params.check("recipe", data, Recipe, Path("params.yaml"))
