"""Lies here so that pytest puts this folder on the path: tests in subfolders import the servers by name."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import study as made_up
from deepfake_ensemble.foundation.errors import UserError

pytest_plugins = ["errors_page"]


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained, evaluated and compared study of invented predictions; read it, copy it to
    change it."""
    folder = tmp_path_factory.mktemp("study")
    made_up.make(folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Playwright's Chromium. No requirement installs it: where it is not, what needs it is skipped."""
    from deepfake_ensemble.workflow.screenshots import chromium

    with ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium())
        except UserError as missing:
            pytest.skip(str(missing))
        yield browser


@pytest.fixture
def attended() -> Iterator[None]:
    """Let Ctrl-C end programs that are started here, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# Files whose tests build or train many networks, in minutes: `make test-all` runs them, `make test` does not.
NETWORKS = (
    "tests/models/test_resnet.py",
    "tests/inference/test_predictor.py",
    "tests/models/test_architecture.py",
    "tests/models/test_detector.py",
    "tests/models/test_imagenet_weights.py",
    "tests/models/test_saved.py",
    "tests/models/test_session.py",
    "tests/portable/test_assembling.py",
    "tests/studies/ensemble/test_computing.py",
    "tests/training/ensemble/test_fitting.py",
    "tests/training/residual/test_fitting.py",
    "tests/training/residual/test_network.py",
    "tests/training/residual/test_stems.py",
    "tests/training/residual/test_surgery.py",
    "tests/training/residual/test_training_stages.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files, so that they can be left out by name."""
    for item in items:
        if item.path.as_posix().endswith(NETWORKS):
            item.add_marker(pytest.mark.networks)
