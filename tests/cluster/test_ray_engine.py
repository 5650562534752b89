"""Ray starts units, two at once on this host, and starts one again that was killed."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec

import psutil
import pytest

from toy_study import Toy

# Importing it here would fix its settings for the tests that start it in this process.
pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed; it comes with the extra `cluster`"
)

TWO = ("--on", "ray", "--workers", "2")


@pytest.fixture
def running(toy: Toy) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts heads; those that still run at the end of the test are killed, with what they have started."""
    started = []

    def start(
        *options: str, command: Sequence[str] = ("-m", "deepfake_ensemble.cluster", *TWO), **environment: str
    ) -> subprocess.Popen[str]:
        with (toy.folder.parent / f"head-{len(started)}.txt").open("w") as output:
            head = subprocess.Popen(
                [sys.executable, *command, *options],
                cwd=toy.folder,
                env=toy.environment | {"TMPDIR": str(toy.folder.parent), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(head)
        return head

    yield start
    for head in started:
        if head.poll() is None:
            for process in [*psutil.Process(head.pid).children(recursive=True), psutil.Process(head.pid)]:
                process.kill()


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def trainings(toy: Toy) -> dict[str, int]:
    """Return the last process that trained, by stage."""
    found = re.findall(
        r"^step \d+ of (\S+) (\d+)$", toy.log.read_text() if toy.log.exists() else "", re.MULTILINE
    )
    return {stage: int(process) for stage, process in found}


def ray_worker_of(process: int) -> psutil.Process:
    return next(it for it in psutil.Process(process).parents() if it.name().startswith("ray::"))


def test_two_chains_at_once_give_the_results_of_one_machine_also_when_a_worker_is_killed_in_a_training(
    toy: Toy, one_machine: Mapping[str, bytes], store, running
) -> None:
    store(toy)
    home = toy.folder.parent / "home"
    home.mkdir()
    head = running("--remote", TOY_STEPS="30", HOME=str(home))
    wait_for(lambda: len(trainings(toy)) == 2 or head.poll() is not None)

    listening = [
        it.laddr.ip
        for process in psutil.Process(head.pid).children(recursive=True)
        for it in process.net_connections("tcp")
        if it.status == psutil.CONN_LISTEN
    ]
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}

    trained = trainings(toy)["train@cnn"]
    ray_worker_of(trained).kill()
    wait_for(lambda: not psutil.pid_exists(trained))
    assert head.wait() == 0, (toy.folder.parent / "head-0.txt").read_text()[-6000:]
    assert toy.results() == one_machine
    assert toy.ran(here=False).count("train@cnn") == 2
    assert sorted(toy.ran(here=True)) == ["initialise@cnn", "initialise@resnet", "report", "weigh"]
    assert not (home / ".ray").exists(), "no token stays there for a later cluster to demand"


@pytest.mark.pipeline
def test_a_head_that_was_killed_goes_on_by_the_same_command(
    toy: Toy, one_machine: Mapping[str, bytes], running
) -> None:
    first = running(TOY_STEPS="30")
    wait_for(lambda: len(trainings(toy)) == 2 or first.poll() is not None)
    stages = list(trainings(toy).values())
    first.kill()
    first.wait()
    wait_for(lambda: not any(psutil.pid_exists(stage) for stage in stages))
    second = running(TOY_STEPS="30")
    assert second.wait() == 0, (toy.folder.parent / "head-1.txt").read_text()[-6000:]
    assert toy.results() == one_machine


ON_TWO_GPUS = """
import runpy
from deepfake_ensemble.distributed import ray_session
ray_session.host_gpus = lambda: 2
runpy.run_module("deepfake_ensemble.cluster", run_name="__main__")
"""


@pytest.mark.pipeline
def test_each_gpu_has_a_chain_though_nobody_says_how_many(toy: Toy, running) -> None:
    running(command=("-c", ON_TWO_GPUS), TOY_STEPS="600")
    wait_for(lambda: len(trainings(toy)) == 2)
    assert all(psutil.pid_exists(process) for process in trainings(toy).values())


@pytest.mark.pipeline
def test_a_stage_that_fails_by_itself_is_not_started_again(toy: Toy) -> None:
    toy.set_params({"models.cnn.fails": True})
    failed = toy.try_head(*TWO)
    assert failed.returncode == 1
    assert failed.stdout.splitlines()[-1].startswith("train@cnn: failed to reproduce 'train@cnn'")
    assert toy.ran(here=False).count("train@cnn") == 1
