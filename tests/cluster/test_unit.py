"""A unit that is killed is told from one that fails, leaves nothing, and another goes on with its work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deepfake_ensemble.cluster import unit
from deepfake_ensemble.cluster.orders import made_from, read_order
from toy_study import Toy

SLOW = {"TOY_STEPS": "100"}


@pytest.fixture
def order(toy: Toy) -> Path:
    """The order of the study's two chains."""
    toy.try_head("--on", "hand")
    return toy / ".dvc/tmp/cluster/study"


def started(
    toy: Toy, order: Path, scratch: Path, number: int = 0, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "deepfake_ensemble.cluster.unit",
            str(order),
            str(number),
            "--scratch",
            str(scratch),
        ],
        env=toy.environment | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def steps(toy: Toy) -> list[list[str]]:
    """Return each training step as its number and its process."""
    lines = [line.split() for line in toy.log.read_text().splitlines()] if toy.log.exists() else []
    return [[number, process] for kind, number, *_, process in lines if kind == "step"]


def test_a_training_that_is_killed_is_a_death_and_no_error_and_the_next_unit_goes_on_with_it(
    toy: Toy, order: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    first = started(toy, order, scratch, **SLOW)
    wait_for(lambda: len(steps(toy)) > 5)
    os.kill(int(steps(toy)[-1][1]), signal.SIGKILL)
    _, said = first.communicate()
    assert first.returncode == unit.DIED, said
    assert "train@cnn: killed" in said
    done = len(steps(toy))
    second = started(toy, order, scratch, TOY_STEPS=str(done + 2))
    _, said = second.communicate()
    assert second.returncode == 0, said
    assert int(steps(toy)[done][0]) >= done - 2, "it does not begin anew"
    assert list((scratch / "unfinished").rglob("state.npz")) == []
    assert list((scratch / "clones").iterdir()) == []


@pytest.mark.pipeline
def test_a_killed_units_clone_is_removed_by_the_next_and_a_living_ones_is_not(
    toy: Toy, order: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    killed, living = started(toy, order, scratch, **SLOW), started(toy, order, scratch, 1, **SLOW)
    wait_for(lambda: len({process for _, process in steps(toy)}) == 2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert started(toy, order, scratch).wait() == 0
    clones = [it for it in (scratch / "clones").iterdir() if it.is_dir()]
    assert len(clones) == 1 and living.poll() is None
    os.killpg(living.pid, signal.SIGKILL)
    living.communicate()


def test_each_attempt_writes_to_a_state_of_its_own(tmp_path: Path) -> None:
    projects = [tmp_path / "one", tmp_path / "two"]
    kept = tmp_path / "kept"
    with pytest.raises(KeyError), unit.states(projects[0], kept):
        zombie = projects[0] / unit.KEPT / "cnn/state.npz"
        zombie.parent.mkdir()
        zombie.write_text("1")
        raise KeyError
    with unit.states(projects[1], kept):
        successor = projects[1] / unit.KEPT / "cnn/state.npz"
        assert successor.read_text() == "1"
        zombie.write_text("2")
        assert successor.read_text() == "1"
    assert not kept.exists()


def test_a_number_that_an_order_does_not_have_is_refused(toy: Toy, order: Path, tmp_path: Path) -> None:
    refused = started(toy, order, tmp_path / "scratch", 2)
    assert "has no chain 2; it has 2, from 0 on" in refused.communicate()[1]
    assert refused.returncode == 1


def test_chains_are_found_by_what_wants_a_gpu_and_are_alike_where_their_params_are(
    toy: Toy, order: Path
) -> None:
    cnn, resnet = (chain.targets for chain in read_order(order).chains)
    assert [name.partition("@")[0] for name in cnn] == ["train", "predict", "perturb"]
    before = made_from(toy.folder, cnn), made_from(toy.folder, resnet)
    toy.set_params({"weighting": "uniform", "models.resnet.rate": 0.5})
    assert made_from(toy.folder, cnn) == before[0]
    assert made_from(toy.folder, resnet) != before[1]


PARENT = """
import sys
from deepfake_ensemble.cluster.ray_engine import run_while_here
run_while_here(["sh", "-c", "sleep 600 & echo $!; wait"])
"""


def test_what_a_worker_has_started_ends_with_it_however_it_ends(toy: Toy) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", PARENT], env=toy.environment, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    grandchild = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    wait_for(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")
