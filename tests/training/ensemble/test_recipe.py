"""The protocol, and how a profile adapts it."""

from dataclasses import replace

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.training.ensemble.recipe import ProfileTraining, Recipe


@pytest.mark.parametrize(("most", "epochs"), [(None, 15), (8, 8), (15, 15), (20, 15)])
def test_a_profile_shortens_the_protocol_and_never_lengthens_it(most: int | None, epochs: int) -> None:
    data = params.load(ROOT / "params.yaml")
    recipe = params.check("training", data["training"] | {"epochs": 15}, Recipe)
    profile = data["profiles"]["sample"]["training"] | {"epochs_at_most": most}
    adapted = params.check("profiles.sample.training", profile, ProfileTraining).adapted(recipe)
    assert adapted == replace(recipe, epochs=epochs)


@pytest.mark.parametrize(("most", "epochs"), [(None, 40), (2, 2)])
def test_a_rate_that_falls_to_nothing_has_epochs_of_its_own_and_no_early_end(
    most: int | None, epochs: int
) -> None:
    data = params.load(ROOT / "params.yaml")
    recipe = params.check("training", data["training"], Recipe)
    falling = {"epochs_at_most": most, "cosine": {"epochs": 40, "warm_up": 0.1}}
    profile = data["profiles"]["sample"]["training"] | falling
    adapted = params.check("profiles.sample.training", profile, ProfileTraining).adapted(recipe)
    assert adapted == replace(recipe, epochs=epochs, early_stopping_patience=epochs)
