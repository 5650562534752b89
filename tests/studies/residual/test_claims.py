"""Verdicts on the paper's claims: each by its rule, and none where there is nothing to compare."""

from dataclasses import replace
from typing import Any

import pytest

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import CorrectedMcNemar
from deepfake_ensemble.comparison.runs import Association, Pair, association, contrasted
from deepfake_ensemble.studies.residual.report import claims
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from deepfake_ensemble.training.residual.curves import EVALUATED, RECORDED, Curves
from deepfake_ensemble.training.residual.settings import ProfileRun, Recipe, Run, Runs


def pair(difference: float, p: float | None) -> Pair:
    return Pair("a", "b", Interval(difference, None, None), p, p, CorrectedMcNemar(0, 0, None, None))


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([], "cannot be told"),
        ([pair(0.1, 0.001), pair(0.2, 0.04)], "is shown"),
        ([pair(0.1, 0.001), pair(0.2, 0.06)], "is shown in part"),
        ([pair(0.1, 0.001), pair(-0.2, 0.06)], "is shown in part"),
        ([pair(0.1, 0.001), pair(-0.2, 0.04)], "is contradicted"),
        ([pair(0.1, 0.5), pair(0.0, None)], "is not shown"),
    ],
)
def test_a_claim_is_shown_where_every_test_finds_it(pairs: list[Pair], verdict: str) -> None:
    assert claims.by_tests(pairs, 0.05) == verdict


def run(model: str, connections: str = "kept", recipe: str = "paper") -> Run:
    return Run(model=model, connections=connections, recipe=recipe)  # type: ignore[arg-type]


RUNS = Runs(
    imagenet={"18_imagenet": run("resnet18"), "18_imagenet_plain": run("resnet18", "removed")},
    random={
        "18": run("resnet18"),
        "18_plain": run("resnet18", "removed"),
        "18_thinned": run("resnet18", "one_a_stage_removed"),
        "18_constant": run("resnet18", recipe="constant"),
        "18_faster": run("resnet18", recipe="faster"),
        "50": run("resnet50_v1_5"),
        "101": run("resnet101"),
        "vgg": run("vgg16"),
    },
)
PAPER = Recipe(
    epochs=5,
    batch_size=32,
    accumulation=4,
    optimizer="adamw",
    learning_rate=5e-5,
    fine_tuning=True,
    schedule="linear",
    warm_up=0.1,
    weight_decay=0.01,
    label_smoothing=0.0,
    crop_scale=None,
    cut_mix=0.0,
    symmetry="mirror",
    mean_over="none",
)
RECIPES = {
    "paper": PAPER,
    "constant": replace(PAPER, schedule="constant", warm_up=0.0),
    "faster": replace(PAPER, schedule="constant", learning_rate=1e-3),
}
DEPTHS = tuple(RESNETS.values())
ALIKE = dict.fromkeys(RUNS.all, ProfileRun(epochs=8, stem="imagenet"))


def test_runs_are_compared_that_differ_in_one_thing_alone() -> None:
    assert set(contrasted(list(RUNS.all), RUNS, RECIPES, ALIKE, DEPTHS)) == {
        ("50", "18"),
        ("101", "50"),
        ("18_imagenet", "18"),
        ("18_imagenet_plain", "18_plain"),
        ("18_imagenet", "18_imagenet_plain"),
        ("18", "18_plain"),
        ("18", "18_thinned"),
        ("18", "18_constant"),
    }


def test_a_longer_training_is_another_thing() -> None:
    longer = ALIKE | {"18": ProfileRun(epochs=24, stem="imagenet")}
    assert ("50", "18") not in contrasted(list(RUNS.all), RUNS, RECIPES, longer, DEPTHS)


def test_lower_losses_with_higher_f1_agree() -> None:
    found = association([0.1, 0.2, 0.3, 0.4], [0.9, 0.8, 0.85, 0.7])
    assert (found.pairs, found.agree, found.tau) == (6, 5, pytest.approx(4 / 6))
    assert association([0.1, 0.1], [0.5, 0.6]) == Association(0, 0, None, None)


def test_a_rise_of_the_loss_is_from_its_least_to_its_last() -> None:
    figures: dict[str, Any] = {name: [0, 0, 0] for name in RECORDED + EVALUATED}
    figures |= {"val_log_loss": [0.5, 0.2, 0.3]}
    assert claims.rise(Curves(best=1, **figures)) == pytest.approx(0.1)
