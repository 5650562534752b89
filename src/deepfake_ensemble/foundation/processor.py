"""Pin what the processor may choose, so that the same params give the same bytes on more machines.

TensorFlow, oneDNN, NumPy and OpenBLAS pick kernels by the processor they run on and share work between as
many threads as it has; both change the order of sums and so the last bits of a result. All read their
settings when they are loaded, so `pin` comes before the first import of any of them.
"""

import os
import sys
from typing import Annotated, Literal

from annotated_types import Ge, Le

from deepfake_ensemble.foundation.section import section


@section
class Processor:
    """The section `profiles.NAME.processor` of params.yaml.

    Attributes:
        threads: how many threads compute; 0 leaves it to the libraries (all cores).
        cpu_isa: the newest x86 instruction set that may be used; native is whatever there is.
    """

    threads: Annotated[int, Ge(0), Le(1024)]
    cpu_isa: Literal["AVX2", "AVX512_CORE", "native"]

    @property
    def readers(self) -> int:
        """How many threads read images."""
        # 0 leaves the number to the libraries that compute, and reading has none to leave it to: four are a
        # few on any machine, and how many there are decides no result.
        return self.threads or 4


# What each library calls the limit. NumPy is told what to leave out.
_ONEDNN = {"AVX2": "AVX2", "AVX512_CORE": "AVX512_CORE"}
_NUMPY_WITHOUT = {"AVX2": "X86_V4 AVX512_ICL AVX512_SPR", "AVX512_CORE": "AVX512_ICL AVX512_SPR"}
_OPENBLAS = {"AVX2": "Haswell", "AVX512_CORE": "SkylakeX"}


def environment(processor: Processor) -> dict[str, str]:
    """Return the environment variables that make the libraries keep to `processor`."""
    variables: dict[str, str] = {}
    if processor.cpu_isa != "native":
        variables |= {
            # By itself TensorFlow takes oneDNN only where the processor has AVX-512, and Eigen elsewhere.
            "TF_ENABLE_ONEDNN_OPTS": "1",
            "ONEDNN_MAX_CPU_ISA": _ONEDNN[processor.cpu_isa],
            "NPY_DISABLE_CPU_FEATURES": _NUMPY_WITHOUT[processor.cpu_isa],
            "OPENBLAS_CORETYPE": _OPENBLAS[processor.cpu_isa],
        }
    if processor.threads:
        threads = str(processor.threads)
        variables |= {
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            # OpenBLAS never takes more threads than there are cores, so only one is the same everywhere; what
            # it is used for here is small.
            "OPENBLAS_NUM_THREADS": "1",
        }
    return variables


def pin(processor: Processor) -> None:
    """Set the environment of this process; call it before anything that computes is imported."""
    loaded = sorted({"numpy", "tensorflow", "scipy"} & sys.modules.keys())
    assert not loaded, f"imported before the processor was pinned: {', '.join(loaded)}"
    os.environ.update(environment(processor))
