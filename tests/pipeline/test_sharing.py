"""Results travel through git and a folder that is DVC's remote, from clone to clone, without a training.

The commands are taken from docs/sharing.md.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import markdown
from clones import ROOT, Clone, ran, restored
from tiny_run import MODELS, NETWORKS, RATE, Experiment, Run

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

PAGE = (ROOT / "docs/sharing.md").read_text(encoding="utf-8")
SEND, FETCH, TAKE, RELEASE = markdown.blocks(PAGE, "bash")
(FROM_PYTHON,) = markdown.blocks(PAGE, "python")


def as_shown(block: str, there: Clone, **names: object) -> str:
    """Run a block's commands, with what the page leaves open filled in, and return what they printed."""
    for name, value in {"/mnt/drive/deepfake-ensemble": names.pop("store", ""), **names}.items():
        block = block.replace(name, str(value))
    return "".join(there.run("bash", "-ec", line) for line in block.splitlines())


@pytest.fixture(scope="module")
def server(whole_run: Run, lower_rate: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git server to which the study, its experiment and three branches have been pushed.

    The branch `main` is the study, `lower-rate` has the experiment as its last commit, and `log-loss` another
    weighting. The folder that is DVC's remote holds what all of them need.
    """
    there, server = whole_run.clone, tmp_path_factory.mktemp("server") / "git"
    there.git("init", "--quiet", "--bare", "--initial-branch", "main", str(server))
    there.git("remote", "add", "origin", str(server))
    there.git("push", "--quiet", "origin", "main")
    as_shown(SEND, there, store=whole_run.store, NAME=lower_rate.name)
    as_shown(RELEASE, there)

    there.dvc("exp", "branch", lower_rate.name, "lower-rate")
    there.git("push", "--quiet", "origin", "lower-rate")
    there.dvc("push", "--all-commits", "--run-cache")

    there.git("switch", "--quiet", "--create", "log-loss")
    there.dvc("exp", "run", "--set-param", "ensemble.weighting=log_loss", "report")
    there.commit("Weigh for the least log loss")
    there.git("push", "--quiet", "origin", "log-loss")
    there.git("switch", "--quiet", "main")
    there.restore()
    return server


@pytest.fixture
def elsewhere(server: Path, tmp_path: Path) -> Iterator[Callable[[str], Clone]]:
    """Clones a branch from the server, as on another machine."""

    def clone(branch: str) -> Clone:
        Clone(tmp_path).git("clone", "--quiet", "--branch", branch, str(server), "elsewhere")
        return Clone(tmp_path / "elsewhere")

    yield clone
    shutil.rmtree(tmp_path / "elsewhere")


def networks(log: str) -> list[str]:
    return [name for name in ran(log) if name.partition("@")[0] in NETWORKS]


def made_by_networks(lock: Any) -> dict[str, Any]:
    return {name: of["outs"] for name, of in lock["stages"].items() if name.partition("@")[0] in NETWORKS}


def test_a_clone_that_pulls_has_nothing_to_run(elsewhere):
    there = elsewhere("main")
    there.dvc("pull")
    assert ran(there.dvc("repro")) == []
    assert "up to date" in there.dvc("status")
    assert there.changed() == ""


def test_what_the_page_shows_brings_results_and_an_experiment_with_its_models(elsewhere, lower_rate):
    there = elsewhere("main")
    assert networks(as_shown(FETCH, there, NAME=lower_rate.name)) == []
    assert there.yaml("params.yaml")["models"]["resnet50"]["learning_rate"] == 2e-5
    assert ran(there.dvc("repro")) == []


def test_a_past_commits_models_come_back_with_its_params(elsewhere):
    there = elsewhere("lower-rate")
    (there / "main.lock").write_text(there.git("show", "origin/main:dvc.lock"), encoding="utf-8")
    there.set_params({RATE: 5.0e-5})
    log = there.dvc("repro", "--pull")
    assert networks(log) == ["costs"]  # counts layers; what it writes is in git, and so in no run cache
    assert "train@resnet50" in restored(log)
    # Not the whole lock: two stages read params.yaml as a file, in which a rate can be written in two ways.
    assert made_by_networks(there.yaml("dvc.lock")) == made_by_networks(there.yaml("main.lock"))


def test_metrics_and_params_are_compared_without_any_results_of_dvc(elsewhere):
    there = elsewhere("log-loss")
    figures = there.dvc("metrics", "diff", "HEAD~1")
    params = there.dvc("params", "diff", "HEAD~1")
    assert not (there / ".dvc/cache").exists()
    assert not (there / "models/cnn.keras").exists()
    rows = [line.split() for line in params.splitlines()]
    assert ["params.yaml", "ensemble.weighting", "accuracy", "log_loss"] in rows
    changed = [line.split()[:2] for line in figures.splitlines()]
    assert ["reports/metrics/internal.json", "ensemble.log_loss"] in changed
    assert ["reports/metrics/internal.json", "cnn.log_loss"] not in changed


def test_one_model_is_taken_from_another_repository(server, whole_run, tmp_path):
    there = Clone(tmp_path)
    there.git("init", "--quiet")
    there.dvc("init", "--quiet")
    as_shown(TAKE, there, URL=server)
    for name in ("ensemble.onnx", "xception.keras", "ensemble.keras", "cnn.keras"):
        assert (there / name).read_bytes() == (whole_run.clone / "models" / name).read_bytes()
    assert (there / "xception.keras.dvc").is_file()


def test_python_reads_metrics_params_and_a_model_of_another_repository(server, whole_run):
    found: dict[str, Any] = {}
    exec(FROM_PYTHON.replace("URL", str(server)), found)
    assert found["rate"] == 5e-5
    assert found["model"] == (whole_run.clone / "models/ensemble.onnx").read_bytes()
    assert found["metrics"]["reports/metrics/internal.json:ensemble"].keys() == {
        "accuracy",
        "f1",
        "auc",
        "log_loss",
    }


def test_every_member_of_the_ensemble_is_an_artifact(whole_run):
    named = whole_run.clone.yaml("models/dvc.yaml")["artifacts"].values()
    assert [it["path"] for it in named] == [f"{model}.keras" for model in MODELS]
