"""What `make plan` says: numbers that follow from params.yaml, and DVC's own answer to what would run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.studies.ensemble import params as schema
from deepfake_ensemble.studies.ensemble import plan

ROOT = Path(__file__).parents[2]
DATA = params.load(ROOT / "params.yaml")


def whole(profile: str) -> schema.Params:
    return params.check("", DATA | {"profile": profile}, schema.Params)


def step(profile: str, name: str, runs: str = "yes", size: int | None = None) -> plan.Step:
    known = plan.Known(name, f"What {name} does.", runs, "", size)
    return plan.plan(whole(profile), [known])[0]


def test_training_at_the_paper_s_size_is_told_in_steps_epochs_and_layers() -> None:
    trained = step("paper", "train@resnet50")
    assert trained.numbers == {
        "images": 100_000,
        "image_size": 256,
        "steps_per_epoch": 3125,
        "validation_steps": 1250,
        "epochs_at_most": 15,
        "learning_rate": 5e-5,
        "frozen_layers": 100,
        "precision": "float32",
    }
    assert trained.gpu
    assert trained.text == (
        "100,000 images of 256×256: 3,125 steps of 32, at most 15 epochs, validates 1,250 steps of 16,"
        " learning rate 5e-05, first 100 layers frozen"
    )


def test_random_weights_are_not_frozen_and_learn_at_the_multiplied_rate() -> None:
    numbers = step("small", "train@resnet50").numbers
    assert numbers["frozen_layers"] == 0
    multiplier = DATA["profiles"]["small"]["training"]["learning_rate_multiplier"]["transferred"]
    assert numbers["learning_rate"] == 5e-5 * multiplier > 5e-5
    assert (numbers["steps_per_epoch"], numbers["validation_steps"]) == (40, 17)  # 1,260 and 270, rounded up


def test_initial_weights_are_named_by_their_file() -> None:
    assert step("paper", "initialise@xception").numbers == {
        "weights": "imagenet",
        "file": "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    }
    assert step("paper", "initialise@cnn").numbers == {"weights": "random", "seed": 42}
    assert step("small", "initialise@xception").text == "random weights, seed 42"


def test_downloads_tell_their_source() -> None:
    assert step("sample", "download@faces").text == "faces.zip, synthesised from photographs, seed 42"
    assert step("paper", "download@cifake").numbers == {
        "source": "kaggle",
        "kaggle": "birdy654/cifake-real-and-ai-generated-synthetic-images",
        "version": 3,
        "images": 120_000,
    }


def test_a_local_archive_is_as_large_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    missing = step("small", "download@faces")
    assert (missing.disk, missing.text) == (
        None,
        "faces.zip from data/local/faces.zip, which is not there yet",
    )
    (tmp_path / "data/local").mkdir(parents=True)
    (tmp_path / "data/local/faces.zip").write_bytes(bytes(1234))
    assert step("small", "download@faces").disk == 1234


def test_disk_is_estimated_from_the_counts_until_the_results_are_there() -> None:
    estimated = step("paper", "pack@train")
    assert estimated.numbers == {"images": 100_000, "shards": 20}
    assert 100_000 * 26_099 < (estimated.disk or 0) < 100_000 * 26_099 * 1.02
    assert not estimated.measured
    there = step("paper", "pack@train", runs="no", size=987)
    assert (there.disk, there.measured) == (987, True)


def test_predictions_leave_out_the_training_split() -> None:
    assert step("small", "predict@cnn").numbers == {
        "images": 270 + 270 + 20_000,
        "batches": 5 + 5 + 313,
        "batch_size": 64,
    }


def test_a_stage_that_the_plan_does_not_know_is_told_by_its_description() -> None:
    assert step("sample", "weigh").text == "What weigh does"


def test_parameters_are_counted_from_the_file_of_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "models/initial/cnn.weights.h5"
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as weights:
        weights["layers/dense/vars/0"] = np.zeros((4, 3), np.float32)
        weights["layers/dense/vars/1"] = np.zeros(3, np.float32)
        weights["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
    initialised = step("sample", "initialise@cnn", runs="no")
    assert initialised.numbers["parameters"] == 15
    assert initialised.text == "random weights, seed 42: 15 parameters"


# With DVC itself


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
        return {known.name: (known.runs, known.why) for known in plan.ask_dvc()}

    in_order = [known for known in plan.ask_dvc() if known.name != "lone"]
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
        plan.ask_dvc()
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
    models, sets = DATA["models"], DATA["data_sets"]
    for stage, items in (("train", models), ("predict", models), ("initialise", models), ("audit", sets)):
        assert [it["item"] for it in told["steps"] if it["stage"] == stage] == list(items)
    assert {it["runs"] for it in told["steps"]} == {"yes"}
    assert [name for name, it in steps.items() if it["gpu"]] == [
        *(f"train@{model}" for model in models),
        *(f"predict@{model}" for model in models),
    ]
    order = list(steps)
    assert order.index("split") < order.index("pack@train") < order.index("train@cnn") < order.index("weigh")


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
