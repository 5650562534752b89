"""Lies here so that pytest puts this folder on the path: tests in subfolders import the servers by name."""

from pathlib import Path

import pytest

import study as made_up


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained, evaluated and compared study of invented predictions; read it, copy it to
    change it."""
    folder = tmp_path_factory.mktemp("study")
    made_up.make(folder)
    return folder
