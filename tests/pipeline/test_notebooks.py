"""Both notebooks hold commands that exist, and run as a whole where stand-ins take the place of the hosts.

On Colab and on Kaggle themselves they were not run.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from dvc.cli.parser import get_main_parser
from ruamel.yaml import YAML

from clones import ENVIRONMENT, ROOT, Clone, clone, ran
from deepfake_ensemble.foundation import params
from deepfake_ensemble.sample import archives as sample
from tiny_run import TINY

COLAB, KAGGLE = ROOT / "notebooks/colab.ipynb", ROOT / "notebooks/kaggle.ipynb"
NOTEBOOKS = {file.stem: nbformat.read(file, as_version=4) for file in (COLAB, KAGGLE)}
STAGES = params.load(ROOT / "dvc.yaml")["stages"]
DATA_SETS = params.load(ROOT / "params.yaml")["data_sets"]

each = pytest.mark.parametrize("name", NOTEBOOKS)


def code(name: str) -> list[str]:
    return [cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]


def commands(name: str) -> list[str]:
    """Return what the lines that begin with ! run, one by one."""
    lines = [line.lstrip() for source in code(name) for line in source.splitlines()]
    shell = [line.removeprefix("!") for line in lines if line.startswith("!")]
    return [part.strip() for line in shell for part in re.split(r"&&|\|+", line)]


@each
def test_it_is_a_valid_notebook_without_outputs(name: str) -> None:
    nbformat.validate(NOTEBOOKS[name])
    cells = [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@each
def test_its_python_is_python(name: str) -> None:
    for source in code(name):
        ast.parse(re.sub(r"^(\s*)(\w+ = )?[!%].*$", r"\1pass", source, flags=re.MULTILINE))


@each
def test_its_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = [command.split()[1] for command in commands(name) if command.startswith("make ")]
    assert named
    assert set(named) <= targets


@pytest.mark.parametrize(
    "command", sorted({it for name in NOTEBOOKS for it in commands(name) if it.startswith("dvc ")})
)
def test_its_dvc_commands_are_ones_that_dvc_knows_with_stages_that_exist(command: str) -> None:
    parsed = get_main_parser().parse_args(shlex.split(command)[1:])
    for target in getattr(parsed, "targets", None) or []:
        stage, _, item = target.partition("@")
        assert stage in STAGES or target in ("{name}", "{KEPT}")
        assert not item or (item == "{model}" and STAGES[stage]["foreach"] == "${members}")


@each
def test_no_command_waits_for_an_answer(name: str) -> None:
    # It has a terminal, so DVC would ask.
    source = "\n".join(code(name))
    asking = re.findall(r"!(.*?)dvc (?:repro|pull)", source)
    assert asking
    assert all(before.startswith("yes | ") for before in asking)


@each
def test_its_python_modules_exist(name: str) -> None:
    modules = [command.split()[2] for command in commands(name) if command.startswith("python -m")]
    assert modules
    for module in modules:
        for study in ("ensemble", "residual"):
            path = module.replace("{STUDY}", study).replace(".", "/")
            assert (ROOT / "src" / f"{path}.py").exists()


def test_each_model_is_pushed_before_the_next_one_trains() -> None:
    loop = next(source for source in code("colab") if "for model in members" in source)
    body = loop.partition("for model in members:")[2]
    assert re.search(r"dvc repro --pull train@\{model\} && dvc push --run-cache .*train@\{model\}", body)


@each
def test_its_profile_is_one_of_ours(name: str) -> None:
    chosen = re.search(r'PROFILE = "(\w+)"  # (.*)', code(name)[0])
    assert chosen
    assert chosen[1] == "quick"  # what a free GPU can do is offered first
    named = {chosen[1], *re.findall(r'"(\w+)"', chosen[2])}
    assert named <= set(params.load(ROOT / "params.yaml")["profiles"])


@each
def test_it_shows_no_credential(name: str) -> None:
    source = "\n".join(code(name))
    assert len(re.findall(r"userdata\.get\(|get_secret\(", source)) == 1
    assert re.search(r"os\.environ\[[^]]+\] = (userdata\.get|UserSecretsClient\(\)\.get_secret)\(", source)
    assert not re.search(r"print\(.*environ|!env|!printenv|\$KAGGLE", source)


# Run as a whole.

RUN_ALL = """
import json
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for source in json.load(sys.stdin):
    if not shell.run_cell(source).success:
        sys.exit(1)
"""
STAND_INS = {
    "google/colab/__init__.py": "",
    "google/colab/drive.py": "def mount(where):\n    pass\n",
    "google/colab/userdata.py": """
class SecretNotFoundError(Exception):
    pass

class NotebookAccessError(Exception):
    pass

def get(name):
    if name != "KAGGLE_API_TOKEN":
        raise SecretNotFoundError(name)
    return "a token"
""",
    "kaggle_secrets.py": """
class UserSecretsClient:
    def get_secret(self, name):
        return f"the secret {name}"
""",
}
# What a notebook's host has, and this machine need not have: `make setup` only takes what is here.
MAKE = """#!/bin/sh
[ "$1" = setup ] && [ -z "$NO_SETUP" ] && ln -sfn {environment} .venv
"""


@dataclass(frozen=True)
class Host:
    """A machine on which a notebook runs as on its host, whose folders are in `folder`."""

    folder: Path
    repository: Clone

    def run_all(
        self, name: str, settings: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run all cells, up to one that fails; return the exit code and all that was printed."""
        sources = [re.sub(r"(?<![\w/])/(content|kaggle)\b", rf"{self.folder}/\1", it) for it in code(name)]
        for key, value in {"REPOSITORY": str(self.repository.folder), **settings}.items():
            sources[0], found = re.subn(
                rf"^{key} = .*$", f"{key} = {value!r}", sources[0], flags=re.MULTILINE
            )
            assert found == 1
        there = self.folder / ("content" if name == "colab" else "kaggle/temp") / "deepfake-ensemble"
        path = [there / "src", self.folder / "stand_ins", *sys.path]
        done = subprocess.run(
            [sys.executable, "-c", RUN_ALL],
            cwd=self.folder,
            input=json.dumps(sources),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={
                **ENVIRONMENT,
                "HOME": str(self.folder),
                "PATH": os.pathsep.join([str(self.folder / "bin"), ENVIRONMENT["PATH"]]),
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                "NO_COLOR": "1",
                **(environment or {}),
            },
        )
        return done.returncode, done.stdout


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host of the sample, shrunk to two detectors and one epoch."""
    repository = clone(tmp_path / "repository")
    repository.set_params(TINY)
    yaml = YAML()
    settings = yaml.load((repository / "params.yaml").read_text(encoding="utf-8"))
    settings["members"] = ["cnn", "resnet50"]
    with (repository / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(settings, file)
    repository.commit("A tiny study")
    repository.git("branch", "--force", "--move", "main")
    for path, text in STAND_INS.items():
        file_ = tmp_path / "stand_ins" / path
        file_.parent.mkdir(parents=True, exist_ok=True)
        file_.write_text(text)
    make = tmp_path / "bin/make"
    make.parent.mkdir()
    make.write_text(MAKE.format(environment=Path(sys.executable).parents[1]))
    make.chmod(0o755)
    (tmp_path / "content/drive/MyDrive").mkdir(parents=True)
    return Host(tmp_path, repository)


def kept(store: Path, lock: Path) -> dict[str, bool]:
    """Return whether a DVC remote has each result of each stage, by path; a folder counts by its list."""
    entries = YAML(typ="safe").load(lock.read_text(encoding="utf-8"))["stages"]
    outs = [out for stage in entries.values() for out in stage["outs"]]
    return {out["path"]: (store / f"files/md5/{out['md5'][:2]}/{out['md5'][2:]}").exists() for out in outs}


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_a_set_up_that_fails_stops_everything(host: Host) -> None:
    code, printed = host.run_all("colab", {"PROFILE": "sample"}, {"NO_SETUP": "1"})
    assert code == 1
    assert "the environment could not be set up" in printed
    assert "GPU" not in printed


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
@each
def test_without_a_gpu_nothing_begins_unless_it_was_decided_on(name: str, host: Host) -> None:
    code, printed = host.run_all(name, {"PROFILE": "sample"}, {"CUDA_VISIBLE_DEVICES": "-1"})
    assert code == 1
    assert "no GPU: " in printed
    assert ran(printed) == []


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_on_colab_the_study_ends_on_the_drive_with_its_model_file(host: Host) -> None:
    code, printed = host.run_all(
        "colab", {"PROFILE": "sample", "WITHOUT_GPU": True, "TRACKING": "[tensorboard]"}
    )
    assert code == 0, printed[-4000:]
    drive, there = host.folder / "content/drive/MyDrive", host.folder / "content/deepfake-ensemble"
    stored = kept(drive / "deepfake-ensemble", there / "dvc.lock")
    assert stored["models/ensemble.onnx"] and stored["models/cnn.keras"] and stored["predictions/cnn"]
    assert not stored["data/raw/internal.zip"] and not stored["data/packed/internal"]
    assert (drive / "deepfake-ensemble-run/ensemble.onnx").is_file()
    assert (drive / "deepfake-ensemble-run/reports/report.html").is_file()
    assert "time, at most" in printed
    assert list(there.glob("tracking/tensorboard/ensemble/cnn-*/events*"))


@pytest.mark.pipeline
@pytest.mark.timeout(3600)
def test_on_kaggle_a_later_session_goes_on_with_what_an_earlier_one_left(host: Host) -> None:
    kaggle = host.folder / "kaggle"
    for data_set in DATA_SETS.values():
        sample.build(data_set["layout"], host.folder / "set.zip", seed=42)
        with zipfile.ZipFile(host.folder / "set.zip") as archive:
            archive.extractall(kaggle / "input" / Path(data_set["kaggle"]).name)
    settings = {"PROFILE": "sample", "WITHOUT_GPU": True}
    code, printed = host.run_all("kaggle", settings)
    assert code == 0, printed[-4000:]
    output = kaggle / "working/deepfake-ensemble"
    stored = kept(output / "store", kaggle / "temp/deepfake-ensemble/dvc.lock")
    assert stored["models/ensemble.onnx"] and stored["models/cnn.keras"]
    assert not stored["data/raw/internal.zip"] and not stored["data/packed/internal"]
    assert (output / "run/reports/report.html").is_file()

    shutil.move(kaggle / "working", kaggle / "input/an-earlier-version")
    shutil.rmtree(kaggle / "temp")
    code, printed = host.run_all("kaggle", settings)
    assert code == 0, printed[-4000:]
    assert [name for name in ran(printed) if name.startswith(("train@", "predict@"))] == []
    assert (kaggle / "working/deepfake-ensemble/run/reports/report.html").is_file()
