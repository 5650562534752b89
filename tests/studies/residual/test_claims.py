"""Verdicts on the paper's claims: each by its rule, and none where runs differ by chance or guess."""

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from deepfake_ensemble.comparison.runs import Association, Settings, association, compared, contrasted
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.pages.rendering import render
from deepfake_ensemble.studies.residual.gradients import Gradients, Norms
from deepfake_ensemble.studies.residual.report import claims
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from deepfake_ensemble.studies.residual.report.study import Study
from deepfake_ensemble.training.residual.curves import EVALUATED, RECORDED, Curves
from deepfake_ensemble.training.residual.settings import ProfileRun, Recipe, Run, Runs


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
        "152": run("resnet152"),
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
        ("152", "101"),
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


# What a whole run says: made-up predictions of some runs, and all that the page tells of them.

MEASURING = Settings(
    threshold=0.5,
    ece_bins=15,
    smallest_probability=1e-15,
    resamples=200,
    confidence=0.95,
    seed=1,
    weighting="accuracy",
)
FAKE = (0.0, 30.0)  # no skill, and everything is called fake
LITTLE = (0.15, 0.0)  # a little better than a coin, with less F1 than calling everything fake


def split(skills: Mapping[str, tuple[float, float]], n: int, seed: int) -> Aligned:
    """Return predictions of runs by how well they tell the classes apart, and how much they call fake."""
    rng, labels = np.random.default_rng(seed), np.arange(n) % 2
    scores = {
        run: skill * (2 * labels - 1) + rng.normal(size=n) + bias for run, (skill, bias) in skills.items()
    }
    return Aligned(
        tuple(f"{i}.jpg" for i in range(n)), labels, {run: expit(of) for run, of in scores.items()}
    )


def figures(losses: list[float]) -> Curves:
    of: dict[str, Any] = {name: [0.0] for name in RECORDED + EVALUATED}
    return Curves(best=0, **of | {"val_log_loss": losses})


def verdicts(
    skills: Mapping[str, float | tuple[float, float]],
    *,
    shares: Mapping[str, float] | None = None,
    losses: Mapping[str, list[float]] | None = None,
) -> tuple[dict[str, str], str]:
    """Return the verdict on each claim by its first words, and what the page says.

    Args:
        skills: by run; 0 is a coin's, 2 a good one's.
        shares: of the gradient that comes through without connections.
        losses: on validation while a run was trained.
    """
    runs = {run: skill if isinstance(skill, tuple) else (skill, 0.0) for run, skill in skills.items()}
    official = compared(
        split(runs, 2000, 1),
        split(runs, 200, 2),
        MEASURING,
        "official",
        shares={},
        left_out={},
        contrasts=contrasted(list(runs), RUNS, RECIPES, ALIKE, DEPTHS),
    )
    unmade: Any = {}
    study = Study(
        profile="made_up",
        params={"comparison": {"margins": {"log_loss": 0.02}}},
        runs=RUNS,
        metrics=unmade,
        comparison={"official": official},
        curves={run: figures([0.5]) for run in runs}
        | {run: figures(of) for run, of in (losses or {}).items()},
        gradients=Gradients(
            images=32,
            with_connections={run: Norms(["first", "last"], [1.0, 1.0]) for run in shares or {}},
            without={run: Norms(["first", "last"], [share, 1.0]) for run, share in (shares or {}).items()},
        ),
        networks=unmade,
        outlines=unmade,
        audit=unmade,
        splits=unmade,
        looks=unmade,
    )
    found = claims.answers(study)
    page = render(claims.__name__, "claims.html", view=found, study=study)
    told = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page)))
    return {answer.claim: answer.verdict for answer in found}, told


DEPTH = "the deeper of two ResNets has the higher F1"
CONNECTIONS = "residual connections raise F1"
IMAGENET = "ImageNet weights raise F1"
NEED = "connections and ImageNet weights need each other"
SCHEDULE = "the schedule prevents overfitting"
GRADIENT = "without residual connections the gradient vanishes on its way to the first layer"
LOSS = "the lower the loss, the higher the F1"
ALL_FOUR = {"18": 0.5, "50": 0.9, "101": 1.4, "152": 2.2}
DEGENERATE = "too few beat a constant answer"


@pytest.mark.parametrize(
    ("outcome", "claim", "verdict"),
    [
        (ALL_FOUR, DEPTH, "is shown"),
        (dict(zip(ALL_FOUR, reversed(ALL_FOUR.values()), strict=True)), DEPTH, "is contradicted"),
        # Two of three steps find the opposite.
        ({"18": 2.2, "50": 1.0, "101": 1.01, "152": 0.5}, DEPTH, "they do not agree"),
        ({"18": 0.5, "50": 2.2, "101": 0.5, "152": 2.2}, DEPTH, "they do not agree"),
        (dict.fromkeys(ALL_FOUR, 1.0), DEPTH, "is not shown"),
        ({"18": 2.2, "50": 0.5, "101": 0.3}, DEPTH, "a step is missing"),
        ({"18": FAKE, "50": LITTLE, "101": FAKE, "152": LITTLE}, DEPTH, DEGENERATE),
        ({"18": 1.0}, DEPTH, "no such runs"),
        ({"18": 2.2, "18_plain": 0.5}, CONNECTIONS, "is shown"),
        ({"18": 0.5, "18_plain": 2.2}, CONNECTIONS, "is contradicted"),
        ({"18": 2.2, "18_plain": 0.5, "18_thinned": 2.2}, CONNECTIONS, "they do not agree"),
        ({"18": 1.0, "18_plain": 1.0}, CONNECTIONS, "is not shown"),
        # Without connections nothing is learnt, with them much: that is what the paper says.
        ({"18": 2.2, "18_plain": FAKE}, CONNECTIONS, "is shown"),
        ({"18": 2.2, "18_plain": LITTLE}, CONNECTIONS, "is shown"),
        # The one that calls everything fake has the higher F1, and has learnt nothing.
        ({"18": LITTLE, "18_plain": FAKE}, CONNECTIONS, DEGENERATE),
        ({"18": FAKE, "18_plain": LITTLE}, CONNECTIONS, DEGENERATE),
        ({"18_imagenet": 2.2, "18": 0.5}, IMAGENET, "is shown"),
        ({"18_imagenet": FAKE, "18": LITTLE}, IMAGENET, DEGENERATE),
        (
            {"18_imagenet": 2.5, "18_imagenet_plain": 0.3, "18": 1.0, "18_plain": 0.9},
            NEED,
            "is shown",
        ),
        (
            {"18_imagenet": FAKE, "18_imagenet_plain": LITTLE, "18": FAKE, "18_plain": FAKE},
            NEED,
            DEGENERATE,
        ),
        ({"18": 0.5, "50": 1.0, "101": 1.5, "152": 2.0, "vgg": 2.5}, LOSS, "is shown"),
        ({"18": FAKE, "50": LITTLE, "101": FAKE, "152": LITTLE, "vgg": 1.0}, LOSS, DEGENERATE),
    ],
)
def test_a_claim_is_judged_by_tests_that_agree_between_runs_that_have_learnt(
    outcome: Mapping[str, Any], claim: str, verdict: str
) -> None:
    found, told = verdicts(outcome)
    assert found[claim] == verdict
    unknown = verdict not in ("is shown", "is contradicted", "is not shown")
    assert f"That {claim} {'cannot be told from this run' if unknown else verdict}." in told


@pytest.mark.parametrize(
    ("constant", "scheduled", "skill", "verdict"),
    [
        ([0.5, 0.2, 0.3], [0.5, 0.2, 0.21], 1.0, "is shown"),
        ([0.5, 0.2, 0.21], [0.5, 0.2, 0.3], 1.0, "is contradicted"),
        ([0.5, 0.2, 0.3], [0.5, 0.2, 0.3], 1.0, "is not shown"),
        ([0.5, 0.2, 0.3], [0.5, 0.2, 0.21], FAKE, DEGENERATE),
    ],
)
def test_the_schedule_is_judged_by_the_rise_of_the_validation_loss(
    constant: list[float], scheduled: list[float], skill: Any, verdict: str
) -> None:
    losses = {"18": scheduled, "18_constant": constant}
    found, told = verdicts({"18": skill, "18_constant": skill}, losses=losses)
    assert found[SCHEDULE] == verdict
    assert f"By how much it rises: 18: {scheduled[-1] - min(scheduled):#.3g}" in told


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ({}, "no such runs"),
        ({"18_plain": 0.01, "50_plain": 0.09}, "is seen at the start of these"),
        ({"18_plain": 1.7, "50_plain": 28.6}, "is not seen at the start of these"),
        ({"18_plain": 0.5, "50_plain": 0.3}, "is not seen at the start of these"),
        ({"18_plain": 0.01, "50_plain": 28.6}, "they do not agree"),
    ],
)
def test_of_one_draw_and_one_batch_a_gradient_is_seen_to_vanish_or_not_and_nothing_is_contradicted(
    shares: dict[str, float], verdict: str
) -> None:
    found, told = verdicts({"18": 1.0}, shares=shares)
    assert found[GRADIENT] == verdict
    if "seen" in verdict:
        assert f"That {GRADIENT} {verdict}. The rule: " in told and "of one draw of the weights" in told


def test_the_page_says_why_nothing_can_be_told() -> None:
    _, told = verdicts({"18": FAKE, "18_plain": LITTLE, "50": FAKE})
    why = {
        CONNECTIONS: "Too few of these runs have more F1 than calling everything fake.",
        DEPTH: "This profile lacks some of these runs.",
        IMAGENET: "This profile trains no such runs.",
    }
    for claim, reason in why.items():
        assert f"That {claim} cannot be told from this run. {reason} The rule: " in told
    assert "Of the steps that were run, how much more F1 the deeper has: 50: " in told
    assert "By how much it rises" not in told  # of no run
