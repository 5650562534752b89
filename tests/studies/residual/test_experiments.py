"""The second study under DVC: run small in a clone, varied by `dvc exp run`, compared by its metrics."""

import json
from pathlib import Path

import pytest

from clones import Clone, clone, of, ran

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

TRAINED = ("resnet18_random", "bird_lotfi_random")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The folder residual/ of a clone: two runs trained for three epochs, the others left out."""
    folder = tmp_path_factory.mktemp("second-study") / "clone"
    clone(folder)
    there = Clone(folder / "residual")
    runs = there.yaml("params.yaml")["profiles"]["sample"]["runs"]
    changes = {f"profiles.sample.runs.{run}.epochs": 3 * (run in TRAINED) for run in runs}
    there.set_params(
        changes
        | {
            "profiles.sample.counts": {"train": 128, "val": 20, "test": 40},
            "comparison.resamples": 100,
        }
    )
    there.dvc("repro")
    there.commit("A tiny second study")
    return there


def test_a_second_repro_runs_nothing(study: Clone) -> None:
    assert ran(study.dvc("repro")) == []
    assert study.changed() == ""


def test_what_was_left_out_says_so_and_what_was_trained_has_scores(study: Clone) -> None:
    scores = json.loads((study / "reports/evaluation/official/metrics.json").read_text(encoding="utf-8"))
    assert scores.keys() == {*TRAINED, "ensemble"}
    assert (study / "models/trained/vgg16_random/left_out.json").exists()


def test_an_experiment_trains_what_its_recipe_is_for_and_the_scores_are_compared(study: Clone) -> None:
    rate = "recipes.paper.learning_rate"
    try:
        log = study.dvc("exp", "run", "--name", "faster", "--set-param", f"{rate}=1.0e-4")
        trained = {stage.partition("@")[2] for stage in of("train", ran(log))}
        # Those that are left out depend on the recipe too, and only say so again.
        assert set(TRAINED) <= trained and not {"fast_15", "resnet152_random_constant"} & trained
        assert not {"download", "audit", "split"} & set(ran(log)) and of("pack", ran(log)) == []
        compared = json.loads(study.dvc("metrics", "diff", "--all", "--json"))
        assert {Path(file).stem for file in compared} == {*TRAINED, "ensemble"}
        assert all(scores.keys() == {"official.f1", "leak_free.f1"} for scores in compared.values())
        (differing,) = json.loads(study.dvc("params", "diff", "--json")).values()
        assert differing.keys() == {rate}
        assert (differing[rate]["old"], differing[rate]["new"]) == (5e-5, 1e-4)
    finally:
        study.restore()


def test_another_threshold_retrains_nothing(study: Clone) -> None:
    try:
        log = study.dvc("exp", "run", "--set-param", "evaluation.threshold=0.6")
        stages = {stage.partition("@")[0] for stage in ran(log)}
        assert "evaluate" in stages and "report" in stages
        assert not {"train", "finetune", "predict", "predict_finetuned"} & stages
    finally:
        study.restore()
