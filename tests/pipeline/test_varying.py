"""The commands of docs/varying.md do what the page says, from any state of the folder, without a training."""

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

import markdown
from clones import ROOT, Clone, ran
from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.ensemble.params import CHECK

LOOP, RESCUE, EXAMPLES, COMPARING = (
    [command.partition("#")[0].strip() for command in block.splitlines()]
    for block in markdown.blocks((ROOT / "docs/varying.md").read_text(encoding="utf-8"), "bash")
)
EXPERIMENTS = "deepfake_ensemble.workflow.experiments"
RESULTS = ("models", "predictions", "predictions_perturbed", "reports", "data")


def test_the_page_has_these_blocks():
    assert LOOP[0].startswith("git add") and LOOP[-1].startswith("git restore")
    assert RESCUE[0] == "rm dvc.lock"
    assert all(command.startswith("dvc exp run -S") for command in EXAMPLES)
    assert COMPARING[0] == "dvc metrics show"


@pytest.mark.parametrize("command", EXAMPLES + LOOP)
def test_every_value_on_the_page_is_one_that_params_yaml_takes(command):
    if "-S " not in command:
        return
    key, _, value = command.partition("-S ")[2].split()[0].partition("=")
    data = params.load(ROOT / "params.yaml")
    *parents, last = key.split(".")
    section = data
    for parent in parents:
        section = section[parent]
    assert last in section
    section[last] = YAML(typ="safe").load(value)
    assert CHECK.problems(data) == []


def clean(there: Clone) -> None:
    """As committed."""


def changed(there: Clone) -> None:
    """With results of other params that are not committed, an edited file, and one that git does not know."""
    there.dvc("exp", "run", "--set-param", "evaluation.threshold=0.6", "report")
    with (there / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("An edit.\n")
    (there / "notes.txt").write_text("a note\n", encoding="utf-8")


def elsewhere(there: Clone) -> None:
    """With our own results, where another machine's are committed, whose trained bytes this cache has not."""
    ours = (there / "dvc.lock").read_bytes()
    yaml = YAML()
    lock = yaml.load(ours)
    for stage in lock["stages"].values():
        for entry in (*stage.get("deps", ()), *stage.get("outs", ())):
            trained = entry["path"].startswith(("models/", "predictions"))
            if trained and not entry["path"].startswith("models/initial"):
                end = ".dir" if entry["md5"].endswith(".dir") else ""
                entry["md5"] = hashlib.md5(entry["md5"].encode()).hexdigest() + end
    with (there / "dvc.lock").open("w", encoding="utf-8") as file:
        yaml.dump(lock, file)
    there.commit("Results of another machine")
    (there / "dvc.lock").write_bytes(ours)


@pytest.fixture(params=[clean, changed, elsewhere], ids=lambda start: start.__name__)
def start(request: pytest.FixtureRequest, workspace: Clone) -> Iterator[Clone]:
    begin: Callable[[Clone], None] = request.param
    commit = workspace.git("rev-parse", "HEAD").strip()
    begin(workspace)
    yield workspace
    workspace.git("reset", "--quiet", "--hard", commit)
    (workspace / "notes.txt").unlink(missing_ok=True)
    workspace.dvc("exp", "remove", "--all-commits")


def state(there: Clone) -> dict[str, Any]:
    """Return the digest of every file that a user could miss, and what dvc.lock says, in whatever order."""
    files = [there / name for name in ("params.yaml", "README.md", "notes.txt")]
    files += [file for folder in RESULTS for file in sorted((there / folder).rglob("*"))]
    digests = {str(file): hashlib.md5(file.read_bytes()).hexdigest() for file in files if file.is_file()}
    return {**digests, "dvc.lock": there.yaml("dvc.lock")}


def trained(log: str) -> list[str]:
    """Return what ran of the stages that train or predict; `explain`, too, reads a threshold."""
    return [
        name for name in ran(log) if name.partition("@")[0] in ("initialise", "train", "predict", "perturb")
    ]


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_the_loop_varies_compares_and_comes_back_to_exactly_what_was_here(start):
    before = state(start)
    log = "".join(start.run("bash", "-ec", command) for command in LOOP)
    assert "weigh" in ran(log) and trained(log) == []
    assert "reports/metrics/internal.json" in log and "ensemble.weighting" in log
    assert state(start) == before
    assert start.changed() == ""
    assert trained(start.dvc("repro")) == []
    experiments = start.run(sys.executable, "-m", EXPERIMENTS, environment={"PYTHONPATH": "src"}).splitlines()
    assert ["ensemble.weighting", "accuracy", "accuracy", "uniform"] in map(str.split, experiments)
    assert max(map(len, experiments)) <= 200  # a wide terminal


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_models_that_a_restored_lock_has_taken_away_come_back_without_a_training(workspace):
    commit = workspace.git("rev-parse", "HEAD").strip()
    try:
        elsewhere(workspace)
        before = state(workspace)
        workspace.git("restore", "dvc.lock")
        workspace.run("bash", "-c", "! dvc checkout")  # which is how one notices
        assert not (workspace / "models/cnn.keras").exists()
        log = "".join(workspace.run("bash", "-c", command) for command in RESCUE)
        assert trained(log) == []
        assert state(workspace) == before
    finally:
        workspace.git("reset", "--quiet", "--hard", commit)


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_a_commit_is_compared_with_the_one_before(workspace):
    for command in COMPARING:
        workspace.run("bash", "-c", command)
    shutil.rmtree(workspace / "dvc_plots")
    assert workspace.changed() == ""


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", ["repro", "exp run"])
def test_a_wrong_value_stops_every_command_before_any_stage_has_worked(workspace, command):
    workspace.set_params({"ensemble.weighting": "acuracy", "training.epochs": 2, "sample.seed": 43})
    log = workspace.run("bash", "-c", f"! dvc {command}")
    assert ran(log) == ["check"]
    assert 'ensemble.weighting: "acuracy" is not allowed' in log


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_a_temporary_copy_takes_local_archives_along_where_it_is_told_to(workspace):
    local = workspace / "data/local"
    local.mkdir()
    try:
        for name, archive in (("internal", "faces"), ("cifake", "cifake")):
            shutil.copy2(workspace / f"data/raw/{name}.zip", local / f"{archive}.zip")
        run = "dvc exp run --temp -S profiles.sample.source=local {} download"
        left = workspace.run("bash", "-c", f"! {run.format('')}")
        assert "data/local/faces.zip: no such file" in left and "-C data/local" in left
        taken = workspace.run("bash", "-c", run.format("-C data/local"))
        assert "download@internal" in ran(taken)
    finally:
        shutil.rmtree(local)
        workspace.dvc("exp", "remove", "--all-commits")
