"""Each library keeps to the processor that params.yaml asks for, as it says in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.processor import Processor, environment

PINNED = {
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "NPY_DISABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
}

PIN = """
import json, os, sys
from deepfake_ensemble.foundation.processor import Processor, pin
pin(Processor(threads={threads}, cpu_isa="{cpu_isa}"))
"""


def output(code: str, threads: int = 2, cpu_isa: str = "AVX2") -> str:
    """Return what `code` prints after the processor was pinned, in a process that inherits no pins."""
    inherited = {name: value for name, value in os.environ.items() if name not in PINNED}
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PIN.format(threads=threads, cpu_isa=cpu_isa) + code],
        env=inherited | {"PYTHONPATH": source, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(code: str, cpu_isa: str = "AVX2") -> Any:
    """Return what `code` prints as JSON; see `output`."""
    return json.loads(output(code, cpu_isa=cpu_isa))


def test_pinning_sets_what_the_libraries_read() -> None:
    names = sorted(PINNED)
    values = run(f"print(json.dumps([os.environ.get(name) for name in {names}]))")
    assert dict(zip(names, values, strict=True)) == environment(Processor(threads=2, cpu_isa="AVX2"))
    assert None not in values


def test_native_and_all_threads_pin_nothing() -> None:
    assert environment(Processor(threads=0, cpu_isa="native")) == {}
    assert (
        environment(Processor(threads=0, cpu_isa="AVX2"))
        .keys()
        .isdisjoint(environment(Processor(threads=2, cpu_isa="native")))
    )


def test_as_many_threads_read_images_as_compute_or_a_few_where_that_is_left_open() -> None:
    assert [Processor(threads=threads, cpu_isa="AVX2").readers for threads in (1, 2, 16)] == [1, 2, 16]
    assert Processor(threads=0, cpu_isa="AVX2").readers > 0


@pytest.mark.parametrize("library", ["numpy", "scipy"])
def test_a_library_that_was_imported_before_is_a_bug(library: str) -> None:
    late = f"""
del sys.modules["deepfake_ensemble.foundation.processor"]
import {library}
from deepfake_ensemble.foundation.processor import Processor, pin
try:
    pin(Processor(threads=2, cpu_isa="AVX2"))
except AssertionError as error:
    print(json.dumps(str(error)))
"""
    assert library in run(late)


def test_importing_the_stages_module_computes_nothing_yet() -> None:
    code = """
import importlib, pkgutil
from deepfake_ensemble import studies
computing = "train predict initialise assemble perturb explain export describe pictures".split()
for module in pkgutil.walk_packages(studies.__path__, f"{studies.__name__}."):
    *_, folder, name = module.name.split(".")
    if folder == "stages" and name in computing:
        importlib.import_module(module.name)
assert sum(name.endswith(".stages.train") for name in sys.modules) == 2
print(json.dumps(sorted({"numpy", "scipy", "tensorflow", "keras"} & sys.modules.keys())))
"""
    assert run(code) == []


NUMPY = """
import numpy
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(json.dumps([name for name in __cpu_dispatch__ if __cpu_features__[name]]))
"""


def test_numpy_uses_nothing_newer_than_asked_for() -> None:
    # -W error: a name that this NumPy does not know would be warned of.
    newest = run(NUMPY, cpu_isa="native")
    assert run(NUMPY, cpu_isa="AVX2") == [name for name in newest if name == "X86_V3"]
    assert run(NUMPY, cpu_isa="AVX512_CORE") == [name for name in newest if name in ("X86_V3", "X86_V4")]


BLAS = """
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
print(json.dumps([(pool["architecture"], pool["num_threads"]) for pool in threadpool_info()]))
"""


def test_openblas_uses_the_kernels_asked_for_on_one_thread() -> None:
    # With more it would take as many as there are cores, whatever is asked for, so bytes could depend on it.
    pools = run(BLAS)
    assert len(pools) >= 1
    assert {tuple(pool) for pool in pools} == {("Haswell", 1)}


TENSORFLOW = """
os.environ["ONEDNN_VERBOSE"] = "1"
import tensorflow as tf
pixels, kernel = tf.ones((2, 32, 32, 8)), tf.ones((3, 3, 8, 8))
tf.function(lambda: tf.nn.conv2d(pixels, kernel, 1, "SAME"))()
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
print(json.dumps(names.count("tf_Compute")))
"""


@pytest.mark.parametrize("threads", [3])
def test_tensorflow_and_onednn_keep_to_threads_and_instructions(threads: int) -> None:
    *said, computing = output(TENSORFLOW, threads=threads).splitlines()
    assert computing == str(threads)
    assert any(line.endswith(f"runtime:threadpool,nthr:{threads}") for line in said)
    assert any(line.endswith("isa:Intel AVX2") for line in said)
    assert any("exec,cpu,convolution" in line and "avx2" in line for line in said)
    assert not any("avx512" in line for line in said)


@pytest.mark.parametrize(
    ("threads", "cpu_isa"), [(-1, "AVX2"), (2.0, "AVX2"), (2, "avx2"), (2, "SSE"), (5000, "native")]
)
def test_other_processors_are_refused(threads: Any, cpu_isa: str) -> None:
    with pytest.raises(UserError, match=r"profiles\.x\.processor\."):
        params.check("profiles.x.processor", {"threads": threads, "cpu_isa": cpu_isa}, Processor)
