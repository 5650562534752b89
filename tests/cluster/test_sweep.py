"""A grid of params and a list of seeds become DVC experiments, and nothing is trained twice."""

import csv

import pytest

from deepfake_ensemble.cluster import sweep
from deepfake_ensemble.foundation.errors import UserError
from toy_study import Toy

RESNET = "models.resnet.rate"


def test_a_grid_is_every_combination_as_hydra_writes_it() -> None:
    points = sweep.points(["seed=1,2", "training.epochs=range(5,7)", "profile=small"], "grid")
    assert [point.name for point in points] == ["grid-1", "grid-2", "grid-3", "grid-4"]
    assert [point.changes for point in points] == [
        (f"seed={seed}", f"training.epochs={epochs}", "profile=small") for seed in (1, 2) for epochs in (5, 6)
    ]


def test_what_hydra_cannot_read_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^sweep: seed=\[1: .*$"):
        sweep.points(["seed=[1"], "grid")


@pytest.mark.pipeline
def test_points_are_experiments_and_the_folder_stays_as_it_is(toy: Toy) -> None:
    before = toy.results(), toy.changed()
    toy.head("-S", f"{RESNET}=0.1,0.2", "-S", "weighting=accuracy,uniform", module="cluster.sweep")
    assert (toy.results(), toy.changed()) == before

    shown = list(csv.DictReader(toy.dvc("exp", "show", "--csv").splitlines()))
    points = {it["Experiment"]: it for it in shown if it["Experiment"].startswith("sweep")}
    found = [(it[RESNET], it["weighting"], it["seed"]) for _, it in sorted(points.items())]
    assert found == [(rate, how, "43") for rate in ("0.1", "0.2") for how in ("accuracy", "uniform")]
    assert all(it["value"] for it in points.values())
    trained = [name for name in toy.ran() if name.startswith("train")]
    assert sorted(trained) == ["train@cnn", "train@resnet", "train@resnet"], (
        "what is the same is trained once"
    )

    # It is what DVC makes of the same values.
    toy.dvc("exp", "apply", "sweep-4")
    log = toy.dvc("repro", environment=toy.environment)
    assert "Data and pipelines are up to date" in log

    again = toy.try_head("-S", "seed=1,2", module="cluster.sweep")
    assert again.returncode == 1 and "there is an experiment sweep-1" in again.stdout


def test_a_key_that_params_do_not_have_is_named(toy: Toy) -> None:
    refused = toy.try_head("-S", "sede=1,2", module="cluster.sweep")
    assert refused.returncode == 1
    assert refused.stdout.splitlines()[-1].startswith("sweep-1: sede=1: ")


@pytest.mark.parametrize("name", ["/home/user/run", "../run", "a/b", ""])
def test_points_are_not_named_as_folders_elsewhere(name: str) -> None:
    with pytest.raises(UserError, match="letters, digits"):
        sweep.points(["seed=1,2"], name)
