"""What would run is DVC's own answer, and how a plan is printed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.studies.common.planning import ask_dvc

DATA = params.load(ROOT / "params.yaml")
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT / "src"),
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.fixture
def three_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline first → second → third that has run, and `lone` beside it that has not."""
    stages = "".join(
        f"  {name}:\n    cmd: cp {dep} {name}.txt\n    params: [{name}]\n"
        f"    deps: [{dep}]\n    outs: [{name}.txt]\n"
        for name, dep in (("third", "second.txt"), ("second", "first.txt"), ("first", "src/a.py"))
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("1")
    (tmp_path / "params.yaml").write_text("first: 1\nsecond: 1\nthird: 1\nlone: 1\n")
    (tmp_path / "dvc.yaml").write_text(f"stages:\n{stages}")
    for command in ("git init -q", "dvc init -q", "dvc config core.analytics false", "dvc repro -q"):
        done = run(tmp_path, *command.split())
        assert done.returncode == 0, done.stderr
    with (tmp_path / "dvc.yaml").open("a") as file:
        file.write("  lone:\n    cmd: echo\n    params: [lone]\n    outs: [lone.txt]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_would_run_is_what_dvc_says(three_stages: Path) -> None:
    def states() -> dict[str, tuple[str, str]]:
        return {known.name: (known.runs, known.why) for known in ask_dvc()}

    in_order = [known for known in ask_dvc() if known.name != "lone"]
    assert [(known.name, known.size) for known in in_order] == [("first", 1), ("second", 1), ("third", 1)]
    up_to_date = dict.fromkeys(("first", "second", "third"), ("no", ""))
    assert states() == up_to_date | {"lone": ("yes", "it has not run yet")}

    (three_stages / "src/a.py").write_text("2")
    assert states() == {
        "first": ("yes", "code"),
        "second": ("perhaps", ""),
        "third": ("perhaps", ""),
        "lone": ("yes", "it has not run yet"),
    }

    (three_stages / "src/a.py").write_text("1")
    text = (three_stages / "params.yaml").read_text()
    (three_stages / "params.yaml").write_text(text.replace("second: 1", "second: 2"))
    assert states()["first"] == ("no", "")
    assert states()["second"] == ("yes", "second")
    assert states()["third"] == ("perhaps", "")

    (three_stages / "params.yaml").write_text(text)
    (three_stages / "third.txt").unlink()
    assert states()["third"] == ("yes", "its result or what it reads is not here")


def test_a_truncated_dvc_lock_is_named_with_the_way_back(three_stages: Path) -> None:
    lock = three_stages / "dvc.lock"
    lock.write_text(lock.read_text()[:-40] + "\n  - [")
    with pytest.raises(UserError, match=r"dvc\.lock.*`git checkout dvc\.lock` restores it$") as refused:
        ask_dvc()
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's pipeline, never run."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("src", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    assert run(folder, "git", "init", "-q").returncode == 0
    return folder


def test_the_command_plans_every_stage_of_the_active_profile(project: Path) -> None:
    done = run(project, sys.executable, "-m", "deepfake_ensemble.studies.ensemble.plan", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    steps = {f"{it['stage']}@{it['item']}".rstrip("@"): it for it in told["steps"]}
    assert told["profile"] == DATA["profile"]
    models, sets = DATA["members"], DATA["data_sets"]
    for stage, items in (("train", models), ("predict", models), ("initialise", models), ("audit", sets)):
        assert [it["item"] for it in told["steps"] if it["stage"] == stage] == list(items)
    assert {it["runs"] for it in told["steps"]} == {"yes"}
    assert [name for name, it in steps.items() if it["gpu"]] == [
        *(f"train@{model}" for model in models),
        *(f"predict@{model}" for model in models),
    ]
    order = list(steps)
    assert (
        order.index("split") < order.index("pack@internal") < order.index("train@cnn") < order.index("weigh")
    )


def test_without_a_terminal_the_plan_is_plain_aligned_text(project: Path) -> None:
    done = run(project, sys.executable, "-m", "deepfake_ensemble.studies.ensemble.plan")
    assert done.returncode == 0, done.stderr
    heading, titles, *rows = done.stdout.splitlines()
    assert heading.startswith(f"profile {DATA['profile']}: source ")
    assert titles.split() == ["stage", "item", "what", "it", "does", "disk", "GPU", "runs"]
    assert all(line == line.rstrip() and "\x1b" not in line for line in done.stdout.splitlines())
    steps = rows[: next(i for i, row in enumerate(rows) if row.startswith("disk: "))]
    assert len(steps) > 20
    assert all(row[titles.index("runs") :].startswith("yes: ") for row in steps)


def test_the_plan_of_impossible_params_is_their_problems(project: Path, tmp_path: Path) -> None:
    text = (project / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("epochs: 15", "epochs: 0"))
    done = run(tmp_path, sys.executable, "-m", "deepfake_ensemble.studies.ensemble.plan")
    assert done.returncode == 1
    assert done.stderr == (
        "params.yaml: training.epochs: 0 is not allowed: it should be greater than or equal to 1\n"
    )


def test_outside_a_project_there_is_nothing_to_plan(project: Path, tmp_path: Path) -> None:
    shutil.copy(project / "params.yaml", tmp_path)
    done = run(tmp_path, sys.executable, "-m", "deepfake_ensemble.studies.ensemble.plan")
    assert done.returncode == 1
    assert done.stderr.startswith("dvc: ")
    assert len(done.stderr.splitlines()) == 1
