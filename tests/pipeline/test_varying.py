"""The commands of docs/varying.md do what the page says, from any state of the folder, without a training."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator

import pytest
from ruamel.yaml import YAML

import markdown
import starts
from clones import ROOT, Clone, ran
from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.ensemble.params import CHECK
from starts import state, trained

LOOP, RESCUE, EXAMPLES, COMPARING = (
    [command.partition("#")[0].strip() for command in block.splitlines()]
    for block in markdown.blocks((ROOT / "docs/varying.md").read_text(encoding="utf-8"), "bash")
)
EXPERIMENTS = "deepfake_ensemble.workflow.experiments"


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


@pytest.fixture(params=starts.ALL, ids=lambda start: start.__name__)
def start(request: pytest.FixtureRequest, workspace: Clone) -> Iterator[Clone]:
    begin: Callable[[Clone], None] = request.param
    commit = workspace.git("rev-parse", "HEAD").strip()
    begin(workspace)
    yield workspace
    workspace.git("reset", "--quiet", "--hard", commit)
    (workspace / "notes.txt").unlink(missing_ok=True)
    (workspace / ".dvc/config.local").unlink(missing_ok=True)
    shutil.rmtree(workspace / ".dvc/tmp/our-cache", ignore_errors=True)


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
@pytest.mark.parametrize("start", [starts.elsewhere], indirect=True)
def test_models_that_a_restored_lock_has_taken_away_come_back_without_a_training(start):
    before = state(start)
    start.git("restore", "dvc.lock")
    start.run("bash", "-c", "! dvc checkout")  # which is how one notices
    assert not (start / "models/cnn.keras").exists()
    log = "".join(start.run("bash", "-c", command) for command in RESCUE)
    assert trained(log) == []
    assert state(start) == before


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
        # Which of two stages that need nothing of each other comes first, DVC leaves to chance.
        assert re.search(r"data/local/(faces|cifake)\.zip: no such file", left) and "-C data/local" in left
        taken = workspace.run("bash", "-c", run.format("-C data/local"))
        assert "download@internal" in ran(taken)
    finally:
        shutil.rmtree(local)
