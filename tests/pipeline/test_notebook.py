"""notebooks/colab.ipynb is a clean notebook whose commands exist; on Colab itself it was not run."""

import ast
import re
import shlex
from pathlib import Path

import nbformat
import pytest
from dvc.cli.parser import get_main_parser

from deepfake_ensemble.foundation import params

ROOT = Path(__file__).parents[2]
NOTEBOOK = nbformat.read(ROOT / "notebooks/colab.ipynb", as_version=4)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
SHELL = [
    command.strip()
    for cell in CODE
    for line in cell.source.splitlines()
    if line.lstrip().startswith("!")
    for command in re.split(r"&&|\|\|", line.lstrip().removeprefix("!"))
]
STAGES = params.load(ROOT / "dvc.yaml")["stages"]


def test_it_is_a_valid_notebook() -> None:
    nbformat.validate(NOTEBOOK)


def test_it_holds_no_outputs() -> None:
    assert all(cell.outputs == [] and cell.execution_count is None for cell in CODE)


def test_its_python_is_python() -> None:
    for cell in CODE:
        ast.parse(re.sub(r"^(\s*)[!%].*$", r"\1pass", cell.source, flags=re.MULTILINE))


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = [command.split()[1] for command in SHELL if command.startswith("make ")]
    assert named
    assert set(named) <= targets


@pytest.mark.parametrize("command", [command for command in SHELL if command.startswith("dvc ")])
def test_its_dvc_commands_are_ones_that_dvc_knows_with_stages_that_exist(command: str) -> None:
    parsed = get_main_parser().parse_args(shlex.split(command)[1:])
    for target in getattr(parsed, "targets", None) or []:
        stage, _, item = target.partition("@")
        assert stage in STAGES
        assert not item or (item == "{model}" and STAGES[stage]["foreach"] == "${models}")


def test_its_python_modules_exist() -> None:
    modules = [command.split()[2] for command in SHELL if command.startswith("python -m")]
    assert modules
    assert all((ROOT / "src" / f"{name.replace('.', '/')}.py").exists() for name in modules)


def test_each_model_is_pushed_before_the_next_one_trains() -> None:
    loop = next(cell.source for cell in CODE if "for model in models" in cell.source)
    body = loop.partition("for model in models:")[2]
    assert re.search(r"dvc repro --pull train@\{model\} && dvc push --run-cache .*train@\{model\}", body)


def test_its_profile_is_one_of_ours() -> None:
    first = CODE[0].source
    chosen = re.search(r'PROFILE = "(\w+)"  # @param (\[.*\])', first)
    assert chosen
    assert {chosen[1], *ast.literal_eval(chosen[2])} <= set(params.load(ROOT / "params.yaml")["profiles"])


def test_it_shows_no_credential() -> None:
    source = "\n".join(cell.source for cell in NOTEBOOK.cells)
    assert len(re.findall(r"userdata\.get", source)) == 1
    assert "os.environ[name] = userdata.get(name)" in source
    assert not re.search(r"print\(.*environ|!env|!printenv|\$KAGGLE", source)
