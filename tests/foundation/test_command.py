"""A stage runs once at a time."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepfake_ensemble.foundation.command import exclusive
from deepfake_ensemble.foundation.errors import UserError

AT_IT = """
import time
from deepfake_ensemble.foundation.command import exclusive
with exclusive("train@cnn"):
    print("at it", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen]:
    """A process that is at the stage train@cnn in this folder."""
    monkeypatch.chdir(tmp_path)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", AT_IT], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"at it\n"
        yield process
        process.kill()


def test_a_stage_that_is_running_is_not_run_beside_itself(other: subprocess.Popen) -> None:
    with pytest.raises(UserError) as caught, exclusive("train@cnn"):
        pass
    assert str(caught.value) == (
        f"process {other.pid} is still running this stage, without DVC: wait for it, or end it"
        f" (`kill {other.pid}`), then run the same command again"
    )


def test_another_stage_may_run(other: subprocess.Popen) -> None:
    with exclusive("train@resnet50"):
        pass


def test_a_killed_process_blocks_nothing(other: subprocess.Popen) -> None:
    other.kill()
    other.wait()
    for _ in range(2):
        with exclusive("train@cnn"):
            pass


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
from pathlib import Path
from deepfake_ensemble.foundation.files import replacing_folder
from deepfake_ensemble.foundation import command

def main() -> None:
    with replacing_folder(Path("out")) as folder:
        (folder / "small.txt").write_bytes(b"x" * 100)
        with (folder / "large.txt").open("wb") as file:
            file.write(b"x" * 10_000)

command.run(main)
"""


def test_a_disk_that_fills_up_is_one_line_and_leaves_what_was_there(tmp_path: Path) -> None:
    # As near to a full disk as a test comes without rights of its own: no file may grow beyond 200 bytes.
    (tmp_path / "out").mkdir()
    (tmp_path / "out/last.txt").write_text("of the last run")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "stage.py").write_text(LIMITED)
    done = subprocess.run(
        [sys.executable, "stage.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["last.txt"]
    assert not list(tmp_path.glob(".partial*"))
    (line,) = done.stderr.splitlines()
    assert line.endswith(
        ": File too large: files may not be that large here (`ulimit -f`); lift the limit and run it again"
    )


FULL = """
import errno
from deepfake_ensemble.foundation import command

def main() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "data/index/internal.csv")

command.run(main)
"""


def test_a_full_disk_says_how_much_is_free(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "stage.py").write_text(FULL)
    command = [sys.executable, "stage.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(
        r"main: data/index/internal.csv: No space left on device, [\d.]+ [kMGTPE]?B are free in this folder:"
        r" make room \(`dvc gc --workspace` frees results of other runs\) and run it again\n",
        done.stderr,
    )


DRAWS = """
from deepfake_ensemble.foundation import command

def main() -> None:
    import keras
    from matplotlib import pyplot
    assert keras.config.floatx() == "float32"
    pyplot.figure()

command.run(main)
"""


@pytest.mark.parametrize("backend", ["module://a_notebook.its_backend", "agg"])
def test_a_stage_draws_whatever_backend_a_notebook_asks_for(backend: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": backend}
    command = [sys.executable, "-c", DRAWS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # in a new project Matplotlib says that it looks for fonts


SETTINGS = """
from deepfake_ensemble.foundation import command

def main() -> None:
    import keras
    from matplotlib import pyplot
    print(keras.config.floatx(), pyplot.rcParams["font.size"])

command.run(main)
"""


def test_a_stage_neither_heeds_nor_leaves_settings_in_its_user_s_home(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    (home / ".keras").mkdir()
    (home / ".keras/keras.json").write_text('{"floatx": "float16"}')
    (home / ".config/matplotlib").mkdir(parents=True)
    (home / ".config/matplotlib/matplotlibrc").write_text("font.size: 99")
    before = sorted(home.rglob("*"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(home)}
    command = [sys.executable, "-c", SETTINGS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "float32 10.0\n", done.stderr
    assert sorted(home.rglob("*")) == before
