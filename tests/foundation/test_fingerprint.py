"""A fingerprint changes with params, data, code and versions, and with nothing else."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import deepfake_ensemble
from deepfake_ensemble.foundation.fingerprint import fingerprint
from deepfake_ensemble.foundation.section import section

PACKAGE = Path(deepfake_ensemble.__file__).parent


@section
class Recipe:
    epochs: int
    network: dict[str, Any]


PARAMS = {"seed": 42, "training": Recipe(epochs=3, network={"l2": 0.01})}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A file and a folder, by paths relative to the working folder, as the stages name them."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/packed/train")
    (folder / "inner").mkdir(parents=True)
    (folder / "b").write_bytes(b"1")
    (folder / "a").write_bytes(b"2")
    (folder / "inner" / "c").write_bytes(b"3")
    Path("weights.h5").write_bytes(b"4")
    return [folder, Path("weights.h5")]


def test_it_tells_what_a_result_was_made_from(data: list[Path]) -> None:
    account = fingerprint(PARAMS, data)
    assert account["params"] == {"seed": 42, "training": {"epochs": 3, "network": {"l2": 0.01}}}
    assert list(account["data"]) == ["data/packed/train", "weights.h5"]
    assert account["versions"]["numpy"] == __import__("numpy").__version__
    assert json.loads(json.dumps(account)) == account


def test_the_same_again_is_the_same(data: list[Path]) -> None:
    assert fingerprint(PARAMS, data) == fingerprint(PARAMS, data)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 43},
        {"training": Recipe(epochs=4, network={"l2": 0.01})},
        {"training": Recipe(epochs=3, network={"l2": 0.02})},
        {"more": None},
    ],
)
def test_other_params_change_it(data: list[Path], changed: dict[str, Any]) -> None:
    assert fingerprint(PARAMS | changed, data)["digest"] != fingerprint(PARAMS, data)["digest"]


@pytest.mark.parametrize(
    "change",
    [
        lambda: Path("weights.h5").write_bytes(b"5"),
        lambda: Path("data/packed/train/inner/c").write_bytes(b"5"),
        lambda: Path("data/packed/train/inner/c").rename("data/packed/train/c"),
        lambda: Path("data/packed/train/d").write_bytes(b""),
        lambda: Path("data/packed/train/a").unlink(),
    ],
)
def test_other_data_change_it(data: list[Path], change) -> None:
    before = fingerprint(PARAMS, data)
    change()
    after = fingerprint(PARAMS, data)
    assert after["digest"] != before["digest"]
    assert after["data"] != before["data"]
    assert after["params"] == before["params"]


def test_data_that_are_not_there_are_no_empty_data(data: list[Path]) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(PARAMS, [*data, Path("data/packed/nowhere")])


# In another process, as a stage: `python -m deepfake_ensemble.studies.STUDY.stages.NAME`.

PROBE = "studies/common/stages/probe.py"
STAGE = """
import json
from pathlib import Path

import numpy

from deepfake_ensemble.reading import order
from deepfake_ensemble.foundation.fingerprint import fingerprint

if __name__ == "__main__":
    print(json.dumps(fingerprint({"seed": 1}, [Path("data")])))
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return make_clone(tmp_path / "clone")


def make_clone(folder: Path) -> Path:
    shutil.copytree(PACKAGE, folder / "src" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "src" / PACKAGE.name / PROBE).write_text(STAGE)
    (folder / "data").mkdir()
    (folder / "data" / "file").write_bytes(b"1")
    return folder


def account_of(clone: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"{PACKAGE.name}.studies.common.stages.probe"],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone / "src"), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_another_folder_user_time_zone_or_date_of_a_file_is_not_in_it(clone: Path, tmp_path: Path) -> None:
    account = account_of(clone)
    other = make_clone(tmp_path / "some where else")
    for file in other.rglob("*"):
        os.utime(file, (1e9, 1e9))
    assert account_of(other, TZ="Asia/Tokyo", HOME=str(tmp_path), LANG="C", PYTHONHASHSEED="7") == account
    text = json.dumps(account)
    for private in (str(tmp_path), tmp_path.name, socket.gethostname(), str(PACKAGE.parent), sys.prefix):
        assert private not in text


def test_only_the_libraries_in_use_are_in_it(clone: Path) -> None:
    assert set(account_of(clone)["versions"]) == {"numpy"}


@pytest.mark.parametrize("module", ["reading/order.py", PROBE, "foundation/files.py"])
def test_an_edit_to_any_module_in_use_changes_it(clone: Path, module: str) -> None:
    before = account_of(clone)
    with (clone / "src" / PACKAGE.name / module).open("a") as file:
        file.write("\n# edited\n")
    after = account_of(clone)
    assert after["code"] != before["code"]
    assert after["digest"] != before["digest"]


def test_an_edit_to_what_a_package_says_of_itself_does_not_change_it(clone: Path) -> None:
    before = account_of(clone)
    for module in ("__init__.py", "foundation/__init__.py"):
        with (clone / "src" / PACKAGE.name / module).open("a") as file:
            file.write("\n# edited\n")
    assert account_of(clone) == before


def test_an_edit_to_another_module_does_not(clone: Path) -> None:
    before = account_of(clone)
    with (clone / "src" / PACKAGE.name / "archives/splitting.py").open("a") as file:
        file.write("\n# edited\n")
    assert account_of(clone) == before


def test_the_templates_of_what_is_loaded_are_part_of_the_code(clone: Path) -> None:
    before = account_of(clone)
    for room in ("pages", "reading"):
        (clone / "src" / PACKAGE.name / room / "templates").mkdir(exist_ok=True)
    (clone / "src" / PACKAGE.name / "pages/templates/parts.html").write_text("another one")
    assert account_of(clone) == before  # no page is made
    (clone / "src" / PACKAGE.name / "reading/templates/page.html").write_text("a new one")
    assert account_of(clone)["code"] != before["code"]
