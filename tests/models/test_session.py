"""A session seeds all generators and makes every operation repeatable."""

import gc
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.models import session


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    session.start(0)


def draws() -> tuple:
    import tensorflow as tf

    return random.random(), np.random.rand(), float(tf.random.uniform(()))  # noqa: NPY002 (seeded by the session)


def test_the_seed_reaches_python_numpy_and_tensorflow() -> None:
    session.start(42)
    first = draws()
    session.start(42)
    assert draws() == first
    session.start(7)
    other = draws()
    assert all(ours != theirs for ours, theirs in zip(first, other, strict=True))


def test_keras_does_without_what_is_not_used_here() -> None:
    code = (
        "import sys; from deepfake_ensemble.models import session; session.start(0);"
        "print(*(name for name in session.OPTIONAL if name in sys.modules)); import sklearn"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize(
    ("before", "enabled", "frozen"), [("pass", True, True), ("gc.disable()", False, False)]
)
def test_garbage_is_collected_as_before_but_not_among_what_the_import_made(before, enabled, frozen) -> None:
    code = f"import gc; from deepfake_ensemble.models import session; {before}; session.start(0);"
    code += "print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(enabled), str(frozen)]


def test_what_is_made_after_the_import_is_never_frozen() -> None:
    session.start(0)
    frozen = gc.get_freeze_count()
    session.start(0)
    assert gc.get_freeze_count() == frozen
    assert gc.isenabled()


def test_operations_are_repeatable() -> None:
    from tensorflow.python.framework import config

    session.start(1)
    assert config.is_op_determinism_enabled()


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_the_precision_is_that_of_layers_built_from_now_on(precision: str) -> None:
    import keras

    session.start(1, precision)
    assert keras.layers.Dense(1).dtype_policy.name == precision


@pytest.mark.parametrize("optimize", [True, False])
def test_the_graph_is_optimised_or_left_as_it_is(optimize: bool) -> None:
    import tensorflow as tf

    session.start(1, optimize_graph=optimize)
    assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"] is not optimize


def test_a_gpu_s_memory_is_shared_unless_the_environment_says_otherwise(monkeypatch) -> None:
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    session.start(1)
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    session.start(1)
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "false"


def test_what_xla_compiles_for_a_gpu_is_kept_for_that_one(monkeypatch) -> None:
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_clustering_debug")
    monkeypatch.setattr(session.gpu, "name", lambda: "NVIDIA H100 80GB HBM3")
    session.start(1)
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_clustering_debug"
    session.start(1, jit_compile=True)
    theirs, folder, kinds = os.environ["TF_XLA_FLAGS"].split()  # as TensorFlow does: no blank in a folder
    assert theirs == "--tf_xla_clustering_debug"
    assert folder.startswith("--tf_xla_persistent_cache_directory=models/compiled/NVIDIA-H100-80GB-HBM3-2-")
    assert kinds == "--tf_xla_persistent_cache_device_types=GPU"


def test_xla_finds_again_what_it_kept(tmp_path: Path) -> None:
    # On a processor, where it is asked to: TensorFlow knows the flags, and keeps what is compiled at once.
    code = """
import os
from deepfake_ensemble.models import session
flags = session.keeping_compiled("A GPU").replace("=GPU", "=CPU")
os.environ["TF_XLA_FLAGS"] = flags
session.start(0)
import tensorflow as tf
print(float(tf.function(lambda x: tf.reduce_sum(tf.sin(x) @ x), jit_compile=True)(tf.ones((4, 4)))))
"""
    told = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    (kept,) = tmp_path.glob("models/compiled/A-GPU-*/*")
    assert told[0].stdout == told[1].stdout
    assert kept.stat().st_size
