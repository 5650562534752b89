"""Nothing leaves the computer: no module of others asks a host, or keeps in HOME what it could report."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import model_file

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"AF_INET6?, .*htons\((53|443|80)\)")


def test_onnx_runtime_is_imported_where_its_reports_are_switched_off():
    files = [file for folder in ("src", "tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    importing = [
        file
        for file in files
        if re.search(r"^\s*(import|from) onnxruntime", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == [ROOT / "src/deepfake_ensemble/portable/classifier.py"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")
@pytest.mark.parametrize("command", ["predict", "serve"])
def test_no_host_is_asked_and_nothing_is_kept_in_home(tmp_path: Path, command: str):
    model_file.write(tmp_path / "models/ensemble.onnx")
    model_file.folder_of_pictures(tmp_path / "pictures", 1)
    (home := tmp_path / "home").mkdir()
    log = tmp_path / "calls"
    # The tracer is a process beside, so that what is sent to the command reaches it.
    tracing = [
        "strace",
        "-D",
        "-f",
        "-q",
        "-s",
        "200",
        "-e",
        "trace=connect,sendto,sendmsg,sendmmsg",
        "-o",
        str(log),
    ]
    program = [sys.executable, "-m", "deepfake_ensemble.use.command_line", command]
    with subprocess.Popen(
        [*tracing, *program, *(["pictures"] if command == "predict" else ["--port", "0"])],
        cwd=tmp_path,
        env={"HOME": str(home), "PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        if command == "serve":
            time.sleep(2)  # in which it would look up a host
            process.terminate()
        process.stdout.read()
        assert process.wait(20) == 0
    while not re.search(rf"^{process.pid} .*exited with", calls := log.read_text(), re.MULTILINE):
        time.sleep(0.1)
    assert not ELSEWHERE.findall(calls)
    assert list(home.rglob("*")) == []
