"""A GPU has the name that its driver tells; what a driver tells of its own failure is none."""

from pathlib import Path

import pytest

from deepfake_ensemble.foundation import gpu


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def nvidia_smi(folder: Path, said: str, code: int) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    program.chmod(0o755)


def test_gpus_are_named_as_their_driver_names_them(path: Path) -> None:
    nvidia_smi(path, "NVIDIA H200\nNVIDIA L4", 0)
    assert gpu.name() == "NVIDIA H200, NVIDIA L4"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("No devices were found", 6),
        ("NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.", 9),
        ("", 0),
    ],
)
def test_what_a_driver_says_of_its_failure_names_no_gpu(said: str, code: int, path: Path) -> None:
    nvidia_smi(path, said, code)
    assert gpu.name() is None


def test_without_a_driver_there_is_no_gpu(path: Path) -> None:
    assert gpu.name() is None
