"""Work beside this process: its result or what went wrong arrives, and none of it outlives this process."""

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable import processes

METHODS = ("fork", "spawn")
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("method", METHODS)
def test_the_result_arrives(method):
    beside = [processes.begun(method, "multiplies", operator.mul, 2, number) for number in (1, 2, 3)]
    assert [processes.result(each) for each in beside] == [2, 4, 6]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("method", METHODS)
def test_a_result_that_fills_more_than_a_pipe_arrives(method):
    assert processes.result(processes.begun(method, "repeats", str.__mul__, "x", 2**20)) == "x" * 2**20


@pytest.mark.parametrize("method", METHODS)
def test_what_the_user_can_mend_is_told_here(method):
    with pytest.raises(UserError, match=r"^nowhere\.yaml: not found"):
        processes.result(processes.begun(method, "reads", params.load, Path("nowhere.yaml")))


@pytest.mark.parametrize("method", METHODS)
def test_an_error_is_told_with_what_was_done(method, capfd):
    with pytest.raises(RuntimeError, match=r"^the process that counts ended with exit code 1$"):
        processes.result(processes.begun(method, "counts", int, "seven"))
    assert "ValueError: invalid literal" in capfd.readouterr().err


@pytest.mark.parametrize("method", METHODS)
def test_one_that_is_killed_is_told_of(method):
    beside = processes.begun(method, "works", time.sleep, 60)
    beside.process.kill()
    with pytest.raises(UserError, match=r"^the process that works was killed, .*memory"):
        processes.result(beside)


@pytest.mark.parametrize("method", METHODS)
def test_one_that_is_not_wanted_any_more_can_be_ended(method):
    beside = processes.begun(method, "works", time.sleep, 60)
    processes.end(beside)
    assert multiprocessing.active_children() == []


# Where tests run in a shell's background, Ctrl-C is ignored, and by all that they start.
BEGINNING = """
import signal, sys, time
sys.path[:0] = [{source!r}]
from deepfake_ensemble.portable import processes
def terminated(signum, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)
"""
PROGRAM = """
    beside = [processes.begun({method!r}, "sleeps", time.sleep, 60) for _ in range(2)]
    print("begun", flush=True)
    processes.result(beside[0])
"""


def command(folder: Path, lines: str, method: str) -> list[str]:
    """Write a program that goes on with `lines`, and return how to run it."""
    program = folder / "program.py"
    program.write_text((BEGINNING + lines.removeprefix("\n")).format(source=str(ROOT / "src"), method=method))
    return [sys.executable, str(program)]


def ran(folder: Path, lines: str, method: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(folder, lines, method), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_none_outlives_the_process_that_began_it(tmp_path: Path, method: str, ended_by: signal.Signals):
    with subprocess.Popen(
        command(tmp_path, PROGRAM, method),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as asked:
        assert asked.stdout is not None and asked.stdout.readline() == b"begun\n"
        children = psutil.Process(asked.pid).children()
        os.kill(asked.pid, ended_by)
        asked.wait(timeout=20)
    assert len(children) >= 2
    _, left = psutil.wait_procs(children, timeout=20)
    assert [it for it in left if it.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_in_a_terminal_is_left_to_the_process_that_began_it(tmp_path: Path, method: str):
    with subprocess.Popen(
        command(tmp_path, PROGRAM, method),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as asked:
        assert asked.stdout is not None and asked.stdout.readline() == "begun\n"
        os.killpg(asked.pid, signal.SIGINT)
        _, told = asked.communicate(timeout=20)
    assert told.count("KeyboardInterrupt") == 1


# What is begun first, and starts Python's own tracker of resources, is no exception.
UNDER_A_SIGNAL = """
    print(processes.result(processes.begun({method!r}, "gets Ctrl-C", signal.raise_signal, signal.SIGINT)))
    print(processes.result(processes.begun({method!r}, "looks", signal.getsignal, signal.SIGTERM)).name)
"""


@pytest.mark.parametrize("method", METHODS)
def test_one_at_work_does_nothing_on_ctrl_c_and_ends_on_a_termination(tmp_path: Path, method: str):
    done = ran(tmp_path, UNDER_A_SIGNAL, method)
    assert (done.stdout, done.stderr) == ("None\nSIG_DFL\n", "")


# More than a pipe holds, which nobody reads.
LEAVING = """
    processes.begun({method!r}, "repeats", str.__mul__, "x", 2**20)
    time.sleep(0.5)
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("method", METHODS)
def test_who_leaves_without_the_result_does_not_wait_for_it(tmp_path: Path, method: str):
    done = ran(tmp_path, LEAVING, method)
    assert done.returncode != 0 and "KeyboardInterrupt" in done.stderr


AT_ONCE = """
    for _ in range(20):
        beside = processes.begun({method!r}, "sleeps", time.sleep, 60)
        beside.process.terminate()
        beside.process.join(timeout=20)
        assert beside.process.exitcode == -signal.SIGTERM, beside.process.exitcode
"""


def test_a_fork_can_be_ended_before_it_is_at_work(tmp_path: Path):
    done = ran(tmp_path, AT_ONCE, "fork")
    assert (done.returncode, done.stderr) == (0, "")
