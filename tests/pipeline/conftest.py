"""One run of the whole pipeline and one experiment on it, for all tests of this folder that look at them."""

import shutil
from collections.abc import Iterator

import pytest

import tiny_run
from clones import Clone


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tiny_run.Run]:
    folder = tmp_path_factory.mktemp("whole-run")
    yield tiny_run.run(folder)
    shutil.rmtree(folder)  # gigabytes, which pytest would keep three times


@pytest.fixture(scope="session")
def lower_rate(whole_run: tiny_run.Run) -> tiny_run.Experiment:
    return tiny_run.lower_the_rate(whole_run)


@pytest.fixture
def workspace(whole_run: tiny_run.Run) -> Iterator[Clone]:
    """The clone of the run, to change at will: it goes back to the committed state, and to the experiments
    that it had, afterwards."""
    there, listed = whole_run.clone, ("for-each-ref", "--format=%(refname)", "refs/exps")
    before = set(there.git(*listed).split())
    yield there
    for experiment in set(there.git(*listed).split()) - before:
        there.git("update-ref", "-d", experiment)
    there.restore()
