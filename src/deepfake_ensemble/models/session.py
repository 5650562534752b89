"""Seed and configure TensorFlow for a process that computes with it."""

import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from deepfake_ensemble.foundation import gpu

# Keras imports them where they are installed, for what nobody uses here; they take two fifths of the time of
# its import (`python -X importtime -c "import keras"`).
OPTIONAL = ("sklearn", "pandas", "matplotlib")
COMPILED = Path("models/compiled")


def start(
    seed: int, precision: str = "float32", optimize_graph: bool = True, jit_compile: bool = False
) -> None:
    """Seed Python's, NumPy's and TensorFlow's generators (section 3.6.2) and make every operation repeatable.

    PYTHONHASHSEED counts only before the interpreter starts; the stage's command in dvc.yaml sets it. Of a
    GPU's memory TensorFlow takes what it needs, so that another process can use the rest.

    Args:
        seed: of all generators; below 2**32.
        precision: Keras' policy for what layers compute in: float32, mixed_float16 or mixed_bfloat16.
        optimize_graph: whether TensorFlow rewrites its graph before the first step.
        jit_compile: whether XLA compiles something; what it compiles for a GPU is kept in COMPILED then.
    """
    # Both are read when TensorFlow is imported.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if jit_compile:
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {keeping_compiled(gpu.name())}"
    with _absent(*OPTIONAL), _uncollected():
        import keras
        import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(precision)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not optimize_graph})


def keeping_compiled(gpu: str | None) -> str:
    """Return XLA's flags that keep what it compiles for `gpu`; of one GPU and TensorFlow, for no other.

    What it compiles for processors is not kept: its loader doubts that even the same one has all it needs.
    """
    kind = re.sub(r"[^A-Za-z0-9]+", "-", f"{gpu} {metadata.version('tensorflow')}")
    return f"--tf_xla_persistent_cache_directory={COMPILED / kind} --tf_xla_persistent_cache_device_types=GPU"


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave what the first import of TensorFlow makes to itself.

    It makes half a million objects that stay for good; Python's search among them for what nobody uses, again
    and again, takes a quarter of that import's time and a little of all that follows. The little that a stage
    has made before is no longer searched either.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextmanager
def _absent(*packages: str) -> Iterator[None]:
    """Let imports of `packages` fail meanwhile, unless they are loaded already."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None stands for "not to be found"
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
