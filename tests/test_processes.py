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

from deepfake_ensemble import processes
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError

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
PROGRAM = """
import signal, sys, time
sys.path[:0] = [{source!r}]
from deepfake_ensemble import processes
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    beside = [processes.begun({method!r}, "sleeps", time.sleep, 60) for _ in range(2)]
    print("begun", flush=True)
    processes.result(beside[0])
"""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_none_outlives_the_process_that_began_it(tmp_path: Path, method: str, ended_by: signal.Signals):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(source=str(ROOT / "src"), method=method))
    with subprocess.Popen(
        [sys.executable, str(program)],
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
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(source=str(ROOT / "src"), method=method))
    command = [sys.executable, str(program)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as asked:
        assert asked.stdout is not None and asked.stdout.readline() == "begun\n"
        os.killpg(asked.pid, signal.SIGINT)
        _, told = asked.communicate(timeout=20)
    assert told.count("KeyboardInterrupt") == 1
