"""Slurm's own words are passed on where it takes no job, and only files that exist are pointed to."""

from pathlib import Path

import pytest

from deepfake_ensemble.cluster import engines
from deepfake_ensemble.cluster.orders import Chain, Order, Storage
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json


@pytest.fixture
def order(tmp_path: Path) -> Path:
    """Return the folder of an order of one chain that nobody has run."""
    chain = Chain("train@cnn", "0" * 40, ("train@cnn",), ("",), 1.0)
    write_json(tmp_path / "order/order.json", Order(".", Storage(str(tmp_path)), (chain,)))
    return tmp_path / "order"


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes an sbatch of a script."""

    def make(script: str) -> None:
        program = tmp_path / "bin/sbatch"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return make


def on_slurm(order: Path) -> list[str]:
    return engines.on_slurm(order, [0], options=["--partion=gpu"], unfinished=None)


def test_a_wrong_option_is_told_in_sbatchs_own_words(order: Path, sbatch) -> None:
    sbatch("echo \"sbatch: unrecognized option '$8'\" >&2; echo 'Try \"sbatch --help\"' >&2; exit 1")
    with pytest.raises(UserError) as caught:
        on_slurm(order)
    said = "sbatch: unrecognized option '--partion=gpu'; Try \"sbatch --help\""
    assert str(caught.value) == f"cluster: {said}; nothing was run"


@pytest.mark.parametrize("logs", [True, False])
def test_a_job_that_fails_points_to_its_log_if_it_left_one(
    order: Path, sbatch, logs: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log = order.resolve() / "logs/0.log"
    sbatch("echo Submitted batch job 7" + f"; echo failed > {log}" * logs + "; exit 1")
    ended = f"see {log}" if logs else f"and left no {log}; sacct tells how its job ended"
    assert on_slurm(order) == [f"train@cnn: failed, {ended}"]
    assert capsys.readouterr().out == "Submitted batch job 7\n"


def test_without_slurm_it_says_so(order: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sbatch was not found"):
        on_slurm(order)
