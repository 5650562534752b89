"""A fifth model is one file and one entry of params.yaml, a data set or run entries: docs/extending.md."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from clones import ROOT, Clone, clone, of, ran
from tiny_run import MODELS, TINY, Run

DOCS = (ROOT / "docs/extending.md").read_text(encoding="utf-8")


def example(language: str, beginning: str) -> str:
    """Return the page's block of code that begins with certain words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if block.lstrip().startswith(beginning))


def extend(there: Clone) -> None:
    """Add the page's model and data set."""
    path = re.search(r"One file, `([^`]+)`", DOCS)
    assert path
    (there / path[1]).write_text(example("python", '"""VGG19'), encoding="utf-8")
    model, data_set = (yaml.safe_load(example("yaml", name)) for name in ("vgg19", "portraits"))
    there.set_params(
        {"members": [*MODELS, *model]}
        | {f"models.{name}": entry for name, entry in model.items()}
        | {f"data_sets.{name}": entry for name, entry in data_set.items()}
    )


def test_a_model_and_a_data_set_have_stages_without_any_command(tmp_path: Path) -> None:
    there = clone(tmp_path / "clone")
    extend(there)
    check = (sys.executable, "-m", "deepfake_ensemble.studies.ensemble.params")
    assert "keys are in order" in there.run(*check, environment={"PYTHONPATH": "src"})
    stages = set(there.dvc("stage", "list", "--name-only").split())
    of_model = {f"{stage}@vgg19" for stage in ("initialise", "train", "predict", "perturb")}
    of_data_set = {f"{stage}@portraits" for stage in ("download", "audit", "pack", "evaluate")}
    assert of_model | of_data_set <= stages


def test_a_network_that_is_there_is_a_fifth_member_or_the_only_one_by_values_alone(tmp_path: Path) -> None:
    there = clone(tmp_path / "clone")
    page = yaml.safe_load(example("yaml", "members"))
    ((profile, start),) = page["profiles"].items()
    there.set_params(
        {"members": page["members"], **{f"profiles.{profile}.{key}": it for key, it in start.items()}}
    )
    check = (sys.executable, "-m", "deepfake_ensemble.studies.ensemble.params")
    assert "keys are in order" in there.run(*check, environment={"PYTHONPATH": "src"})
    stages = there.dvc("stage", "list", "--name-only").split()
    assert [it for it in stages if it.startswith("train@")] == [f"train@{name}" for name in page["members"]]
    there.set_params({"profile": "laptop", "members": ["efficientnet_lite0"]})
    assert "keys are in order" in there.run(*check, environment={"PYTHONPATH": "src"})
    stages = there.dvc("stage", "list", "--name-only").split()
    assert [it for it in stages if it.startswith("train@")] == ["train@efficientnet_lite0"]


def test_a_run_of_the_second_study_has_stages_without_any_command(tmp_path: Path) -> None:
    there = Clone(clone(tmp_path / "clone") / "residual")
    page = yaml.safe_load(example("yaml", "runs"))
    ((name, run),) = page["runs"]["random"].items()
    ((profile, extents),) = ((profile, of["runs"]) for profile, of in page["profiles"].items())
    recipes, profiles = (there.yaml("params.yaml")[key] for key in ("recipes", "profiles"))
    there.set_params(
        {f"runs.random.{name}": run, f"recipes.{run['recipe']}": recipes["paper"] | {"schedule": "cosine"}}
        | {f"profiles.{other}.runs.{name}": {"epochs": 0, "stem": "imagenet"} for other in profiles}
        | {f"profiles.{profile}.runs.{name}": extents[name]}
    )
    check = (sys.executable, "-m", "deepfake_ensemble.studies.residual.params")
    assert "keys are in order" in there.run(*check, environment={"PYTHONPATH": "src"})
    assert {f"train@{name}", f"predict@{name}"} <= set(there.dvc("stage", "list", "--name-only").split())


@pytest.fixture(scope="module")
def extended(whole_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone of the run, with its results, and with the page's fifth model and data set."""
    folder = tmp_path_factory.mktemp("extended")
    there = clone(folder / "clone", whole_run.clone.folder)
    there.dvc("cache", "dir", "--quiet", "--local", str(whole_run.clone / ".dvc/cache"))
    there.dvc("checkout", "--quiet")
    extend(there)
    there.set_params({"profiles.sample.counts.portraits": 40})
    yield there
    shutil.rmtree(folder)


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_a_fifth_model_is_trained_and_no_other(extended):
    log = extended.dvc("repro", "predict@vgg19")
    assert of("initialise", ran(log)) == ["initialise@vgg19"]
    assert of("train", ran(log)) == ["train@vgg19"]
    for split, count in {**TINY["profiles.sample.counts"], "portraits": 40}.items():
        if split != "train":
            rows = (extended / f"predictions/vgg19/{split}.csv").read_text(encoding="utf-8").splitlines()
            assert len(rows) == 1 + count


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_another_data_set_is_evaluated_and_nothing_trained_for_it(extended):
    extended.dvc("repro", "train@vgg19")
    log = extended.dvc("repro", "evaluate@portraits")
    assert of("train", ran(log)) == []
    assert of("predict", ran(log)) != []
    assert of("evaluate", ran(log)) == ["evaluate@portraits"]
    report = (extended / "reports/evaluation/portraits/metrics.json").read_text(encoding="utf-8")
    metrics = yaml.safe_load(report)
    assert list(metrics) == [*MODELS, "vgg19", "ensemble"]
    assert {figures["n"] for figures in metrics.values()} == {40}
    rows = (extended / "data/splits/portraits.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert all(row.startswith("real_vs_fake/real-vs-fake/test/") for row in rows)
