"""A toy study that has been run and committed, and what one machine makes of it after an edit."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import toy_study
from toy_study import Toy


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    toy = toy_study.make(tmp_path_factory.mktemp("committed") / "toy")
    toy.dvc("repro", environment=toy.environment)
    toy.commit("Its results")
    return toy


@pytest.fixture
def toy(committed: Toy, tmp_path: Path) -> Toy:
    """The study with another seed in params.yaml, not committed: all but the data is to be made anew."""
    return edited(committed, tmp_path / "toy")


@pytest.fixture(scope="session")
def one_machine(committed: Toy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of all results and of dvc.lock after `dvc repro` of the same."""
    there = edited(committed, tmp_path_factory.mktemp("one-machine") / "toy")
    there.dvc("repro", environment=there.environment)
    return there.results()


def edited(committed: Toy, folder: Path) -> Toy:
    shutil.copytree(committed.folder, folder)
    there = Toy(folder)
    there.set_params({"seed": 43})
    return there


@pytest.fixture
def store(tmp_path: Path) -> Callable[[Toy], Path]:
    """Gives a study a folder as its DVC remote."""

    def connect(there: Toy) -> Path:
        there.dvc("remote", "add", "--quiet", "--local", "--default", "store", str(tmp_path / "store"))
        return tmp_path / "store"

    return connect
