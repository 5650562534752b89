"""Robustness: figures under each condition, losses paired by image, and the parts of a loss."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, roc_auc_score

from deepfake_ensemble.comparison.robustness import CLEAN, PARTS, RobustnessFigures, robustness, summary
from deepfake_ensemble.evaluation.predictions import Predictions
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_result, write_json
from deepfake_ensemble.perturbing.conditions import ImageFormat, Robustness, Severities, conditions
from measuring import settings

WEIGHTS = {"cnn": 0.4, "xception": 0.6}
CONDITIONS = conditions(
    Robustness(
        severities=Severities(jpeg=[50], downscale=[0.5], blur=[0.1], noise=[8.0], crop=[0.5]),
        like={"cifake": ImageFormat(size=32, quality=75)},
        seed=1,
    )
)
SPLIT, PERTURBED = 120, np.arange(0, 120, 2)
ALL = np.arange(SPLIT)
LABELS = (ALL % 4 < 2).astype(int)


def said(skill: float, seed: int, rows: np.ndarray = ALL) -> dict[str, Predictions]:
    rng = np.random.default_rng(seed)
    paths = tuple(f"{row}.jpg" for row in rows)
    return {
        model: Predictions(
            paths, LABELS[rows], expit(skill * (2 * LABELS[rows] - 1) + rng.normal(size=len(rows)))
        )
        for model in WEIGHTS
    }


CLEAN_SPLIT = said(2.0, 0)
UNDER = {condition: said(1.5 - 0.2 * i, i + 1, PERTURBED) for i, condition in enumerate(CONDITIONS)}
OUTSIDE = {"cifake": said(0.1, 99)}


def measured(clean=CLEAN_SPLIT, under=UNDER, outside=OUTSIDE):
    return as_json(figures(clean, under, outside))


def figures(clean=CLEAN_SPLIT, under=UNDER, outside=OUTSIDE):
    return robustness(clean, under, outside, WEIGHTS, settings())


def as_json(data):
    return json.loads(json.dumps(data, allow_nan=False, default=asdict))


@pytest.fixture(scope="module")
def found():
    return measured()


def ensemble(members: dict[str, Predictions], rows=slice(None)) -> np.ndarray:
    return sum(weight * members[model].p_fake[rows] for model, weight in WEIGHTS.items())


def test_each_condition_is_measured_on_the_same_images(found):
    assert (found["images"], found["fake_images"]) == (len(PERTURBED), LABELS[PERTURBED].sum())
    assert list(found["conditions"]) == [condition.name for condition in CONDITIONS]
    answers = {CLEAN: ensemble(CLEAN_SPLIT, PERTURBED)} | {it.name: ensemble(of) for it, of in UNDER.items()}
    labels = LABELS[PERTURBED]
    for name, p_fake in answers.items():
        of = found["detectors"]["ensemble"][name]
        assert of["accuracy"]["value"] == pytest.approx(accuracy_score(labels, p_fake >= 0.5))
        assert of["auc"]["value"] == pytest.approx(roc_auc_score(labels, p_fake))
        assert of["auc"]["ci_low"] <= of["auc"]["value"] <= of["auc"]["ci_high"]


def test_what_is_lost_is_paired_by_image(found):
    same = measured(under={CONDITIONS[0]: said_again(CLEAN_SPLIT), **dict(list(UNDER.items())[1:])})
    lost = same["lost"]["ensemble"][CONDITIONS[0].name]
    assert {of["value"] for of in lost.values()} == {0.0}
    assert lost["accuracy"]["ci_high"] < 0.07 and lost["log_loss"]["ci_high"] is None
    for detector, of in found["lost"].items():
        for name, metrics in of.items():
            before, after = (found["detectors"][detector][at]["accuracy"]["value"] for at in (CLEAN, name))
            assert metrics["accuracy"]["value"] == pytest.approx(before - after)


def said_again(split: dict[str, Predictions]) -> dict[str, Predictions]:
    return {
        model: Predictions(tuple(of.paths[i] for i in PERTURBED), of.labels[PERTURBED], of.p_fake[PERTURBED])
        for model, of in split.items()
    }


def test_a_loss_is_put_down_to_resolution_first_then_to_compression_then_to_the_rest(found):
    for detector, parts in found["losses"]["cifake"].items():
        lost = found["lost"][detector]
        assert parts["resolution"] == lost["like_cifake_1"]
        p_fake = OUTSIDE["cifake"][detector].p_fake if detector != "ensemble" else ensemble(OUTSIDE["cifake"])
        there = accuracy_score(LABELS, p_fake >= 0.5)
        assert parts["there"]["accuracy"]["value"] == pytest.approx(there)
        for metric in parts["total"]:
            resolution, compression, rest, total, at = (
                parts[part][metric]["value"] for part in (*PARTS, "there")
            )
            assert resolution + compression == pytest.approx(lost["like_cifake_2"][metric]["value"], abs=1e-8)
            assert resolution + compression + rest == pytest.approx(total, abs=1e-8)
            clean = found["detectors"][detector][CLEAN][metric]["value"]
            assert total == pytest.approx(clean - at, abs=1e-8)


def test_the_other_data_set_is_resampled_by_itself():
    """Its images are others, even where they are as many and the figures the same."""
    under = {condition: said(1.5, i, ALL) for i, condition in enumerate(CONDITIONS)}
    total = measured(under=under, outside={"cifake": CLEAN_SPLIT})["losses"]["cifake"]["cnn"]["total"]
    assert total["accuracy"]["value"] == 0
    assert total["accuracy"]["ci_low"] < 0 < total["accuracy"]["ci_high"]


def test_the_summary_averages_over_conditions(found):
    for detector, of in summary(figures()).items():
        under = found["detectors"][detector]
        values = [under[condition.name]["accuracy"]["value"] for condition in CONDITIONS]
        assert of["perturbed_accuracy"] == pytest.approx(np.mean(values))
        assert of["clean_accuracy"] == under[CLEAN]["accuracy"]["value"]


def test_what_is_written_is_read_back(tmp_path):
    write_json(tmp_path / "figures.json", figures())
    assert read_result(tmp_path / "figures.json", RobustnessFigures) == figures()


def test_the_same_figures_come_again(found):
    assert measured() == found


def test_tables_of_other_images_are_refused():
    other = {**UNDER, CONDITIONS[1]: said(1.0, 5, PERTURBED[::-1])}
    with pytest.raises(UserError, match=f"under {CONDITIONS[1].name} they are not of the same images"):
        measured(under=other)
    fewer = {
        model: Predictions(of.paths[1:], of.labels[1:], of.p_fake[1:]) for model, of in CLEAN_SPLIT.items()
    }
    with pytest.raises(UserError, match=r"0\.jpg was perturbed, but is not in the test split"):
        measured(clean=fewer)
