"""Detectors are converted in processes of their own, which end with the one that asked for them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import networks
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import saved
from deepfake_ensemble.portable.classifier import inference_session
from deepfake_ensemble.portable.conversion import convert
from deepfake_ensemble.portable.graph import joined

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    found = {name: folder / f"{name}.keras" for name in ("cnn", "resnet50")}
    for name, file in found.items():
        saved.save(networks.shared(name), file, {})
    return found


@pytest.mark.networks
def test_saved_detectors_say_the_same_in_the_order_asked_for(files):
    told: list[int] = []
    found = convert(files, 2, told.append)
    assert list(found) == list(files)
    assert told == [1] * len(files)
    model = joined(found, dict.fromkeys(files, 0.5), networks.SIZE)
    session = inference_session(model.SerializeToString())
    images = np.random.default_rng(5).integers(0, 256, (2, networks.SIZE, networks.SIZE, 3), dtype=np.uint8)
    for name, p_fake in zip(files, session.run(list(files), {"image": images}), strict=True):
        expected = networks.shared(name)(images.astype(np.float32), training=False).numpy()[:, 0]
        assert p_fake == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_a_file_that_is_no_model_ends_all(files, tmp_path: Path, content: bytes | None):
    file = tmp_path / "broken.keras"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=str(file)):
        convert({"broken": file, "resnet50": files["resnet50"]}, 2, lambda count: None)
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_told_of(files):
    def kill_one() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        children[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(UserError, match=r"converts (cnn|resnet50) was killed, .*memory"):
        convert(files, 2, lambda count: None)
    killer.join()
    assert multiprocessing.active_children() == []


# Where tests run in a shell's background, Ctrl-C is ignored, and by all that they start.
PROGRAM = """
import signal, sys
from pathlib import Path
sys.path[:0] = [{source!r}]
from deepfake_ensemble.portable.conversion import convert
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    files = {{name: Path(file) for name, file in {files!r}.items()}}
    convert(files, 2, lambda count: None)
"""


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_asked_for_it(files, tmp_path: Path, ended_by: signal.Signals):
    program = tmp_path / "program.py"
    paths = {name: str(file) for name, file in files.items()}
    program.write_text(PROGRAM.format(source=str(ROOT / "src"), files=paths))
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as asked:
        children: list[psutil.Process] = []
        while len(children) < 3 and asked.poll() is None:  # two that convert, and Python's own tracker
            children = psutil.Process(asked.pid).children()
            time.sleep(0.05)
        os.kill(asked.pid, ended_by)
        asked.wait(timeout=8)  # to convert takes longer
    assert asked.returncode != 0
    _, left = psutil.wait_procs(children, timeout=8)
    assert [it for it in left if it.status() != psutil.STATUS_ZOMBIE] == []
