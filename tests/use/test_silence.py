"""Nothing leaves the computer: no module of others asks a host, or keeps in HOME what it could report."""

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import credentials
import model_file
from pictures import encoded, picture
from tracing import asked, needs_strace, traced

ROOT = Path(__file__).parents[2]


def test_onnx_runtime_is_imported_where_its_reports_are_switched_off():
    files = [file for folder in ("src", "tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    importing = [
        file
        for file in files
        if re.search(r"^\s*(import|from) onnxruntime", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == [ROOT / "src/deepfake_ensemble/portable/classifier.py"]


@needs_strace
@pytest.mark.parametrize("command", ["predict", "serve"])
def test_no_host_is_asked_and_nothing_is_kept_in_home(tmp_path: Path, command: str):
    model_file.write(tmp_path / "models/ensemble.onnx")
    model_file.folder_of_pictures(tmp_path / "pictures", 1)
    # C2PA's library is a program of its own, which Python would not see asking.
    with_credentials = credentials.signed(encoded(picture(1, 64, 64)))
    (tmp_path / "pictures/signed.jpg").write_bytes(with_credentials)
    (home := tmp_path / "home").mkdir()
    program = [sys.executable, "-m", "deepfake_ensemble.use.command_line", command]
    arguments = ["--format", "jsonl", "pictures"] if command == "predict" else ["--port", "0"]
    with subprocess.Popen(
        [*traced(tmp_path / "calls"), *program, *arguments],
        cwd=tmp_path,
        env={"HOME": str(home), "PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        said = process.stdout.readline()
        if command == "serve":
            time.sleep(2)  # in which it would look up a host
            url = said.split()[0]
            answer = httpx.post(f"{url}/api/classify", content=with_credentials, timeout=60)
            assert answer.json()["statements"][0]["verified"]
            process.terminate()
        said += process.stdout.read()
        assert process.wait(20) == 0
    assert command == "serve" or "and the signature fits" in said
    assert asked(tmp_path / "calls", process.pid) == []
    assert list(home.rglob("*")) == []


@needs_strace
def test_what_is_asked_would_be_noticed(tmp_path: Path):
    program = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
    subprocess.run([*traced(tmp_path / "calls"), sys.executable, "-c", program], check=False)
    while not (tmp_path / "calls").is_file() or "exited" not in (tmp_path / "calls").read_text():
        time.sleep(0.1)
    assert asked(tmp_path / "calls") == ["192.0.2.1"]
