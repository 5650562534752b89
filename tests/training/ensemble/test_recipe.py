"""The protocol, and how a profile shortens it."""

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.training.ensemble.recipe import ProfileTraining, Recipe


@pytest.mark.parametrize(("most", "epochs"), [(None, 15), (8, 8), (15, 15), (20, 15)])
def test_a_profile_shortens_the_protocol_and_never_lengthens_it(most: int | None, epochs: int) -> None:
    data = params.load(ROOT / "params.yaml")
    recipe = params.check("training", data["training"] | {"epochs": 15}, Recipe)
    profile = data["profiles"]["sample"]["training"] | {"epochs_at_most": most}
    shortened = params.check("profiles.sample.training", profile, ProfileTraining).shortened(recipe)
    assert shortened.epochs == epochs
    assert shortened.batch_size == recipe.batch_size
