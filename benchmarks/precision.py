"""What mixed precision and XLA are worth: training steps under each value of `precision` and `jit_compile`.

    python benchmarks/precision.py [MODEL ...] [--settings SETTING ...] [--minutes 9] [--size 256]

Each setting has a process of its own and, but for what it names, the settings of the active profile, with
every instruction of the processor allowed. Steps train on one batch of 32 images that is in memory, nothing
is frozen. First all settings train `--repeated` steps, several at once, for the weights and for what XLA
compiles, which is kept in a folder until the end; then one after the other trains as many again, whose
weights are compared, and the steps that are timed. Where TensorFlow sees a GPU it computes there. What a
machine cannot do is left out. Nothing else should run meanwhile. With `--minutes` it ends in about that
time: settings come in the order of their importance, each with all models, figures are kept one by one, and
what there was no time for is not measured. Writes docs/measurements/precision.json, which keeps what it
holds of the other kind of machine, and of other models and settings on the same one. What reading costs
beside the step: benchmarks/feeding.py.
"""

import hashlib
import math
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from harness import FOLDER, alone, here, keep, kept, measured_on, of_several, options, pin
from training_steps import BATCH, Training, started

FILE = FOLDER / "precision.json"
Figures = dict[str, Any]


BLOCKS = 5  # of steps; the median of each is a measurement
AT_ONCE = 8  # processes that train for their weights
FOR_WEIGHTS = 0.4  # of the time, at most


@dataclass(frozen=True)
class Setting:
    """How steps are computed; what is not `repeatable` leaves TensorFlow any kernel it likes."""

    precision: str
    jit_compile: bool = False
    repeatable: bool = True

    def __str__(self) -> str:
        return ", ".join(
            [self.precision, *["XLA"] * self.jit_compile, *["not repeatable"] * (not self.repeatable)]
        )


SETTINGS = [  # the most important first
    Setting("float32", jit_compile=True),
    Setting("mixed_bfloat16", jit_compile=True),
    Setting("float32"),
    Setting("mixed_float16", jit_compile=True),
    Setting("mixed_bfloat16"),
    Setting("mixed_float16"),
    Setting("float32", repeatable=False),
    Setting("mixed_bfloat16", jit_compile=True, repeatable=False),
]
PLAIN = str(Setting("float32"))


def measured(name: str, size: int, steps: tuple[int, int], setting: Setting, compiled: str) -> Figures:
    """Measure one model under one setting in this process.

    Args:
        name: the model.
        size: side of the images in pixels.
        steps: so many after which the weights are taken, and so many that are timed after these.
        setting: how steps are computed.
        compiled: a folder for what XLA compiles.
    """
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # other processes need memory, too
    os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={compiled}"
    pin(cpu_isa="native")
    import tensorflow as tf

    if not setting.repeatable:
        tf.config.experimental.enable_op_determinism = lambda: None
    adaptation = replace(started(setting.precision), jit_compile=setting.jit_compile)
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    training = Training(name, size, adaptation)
    first, *_ = training.steps(max(steps[0], 1))
    weights = hashlib.sha256()
    for variable in training.model.variables:
        weights.update(variable.numpy().tobytes())
    later = training.steps(steps[1])
    peak = (
        tf.config.experimental.get_memory_info("GPU:0")["peak"]
        if on_gpu
        else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    return {
        "on": "gpu" if on_gpu else "processor",
        "first_step_seconds": round(first, 2),
        "step_seconds": _medians(later),
        "peak_mib": round(peak / 2**20),
        "weights": weights.hexdigest(),
    }


def _medians(seconds: Sequence[float]) -> list[float]:
    """Return the median of each of BLOCKS blocks of steps; of each step where they are fewer."""
    block = max(len(seconds) // BLOCKS, 1)
    return [
        round(statistics.median(seconds[start : start + block]), 5)
        for start in range(0, len(seconds) - block + 1, block)
    ]


# What follows from the table of a GPU.
ADVICE = """\
Steps of 32 images are short for such a GPU: starting their many small operations one by one takes most of
the time, so a smaller number format (`precision`) saves memory, and time only in the CNN's few large ones.
XLA (`jit_compile`) joins operations and helps most, where it can be had: it has no repeatable gradient of max
pooling, which all but EfficientNet-B4 have. On processors leave both as they are: XLA is several times slower
there, and so is bfloat16 without instructions for it (`avx512_bf16`)."""


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    parts = [_part(of) for of in results.values()]
    if "gpu" in results:
        parts.append(ADVICE)
    return "\n\n".join(parts) + "\n"


def _part(of: Mapping[str, Any]) -> str:
    from deepfake_ensemble.workflow.generated import table

    rows = []
    for name, by_setting in of["models"].items():
        plain = statistics.median(by_setting[PLAIN]["step_seconds"]) if PLAIN in by_setting else math.nan
        for setting, found in by_setting.items():
            milliseconds = [1000 * each for each in found["step_seconds"]]
            median = statistics.median(found["step_seconds"])
            rows.append(
                [
                    name,
                    setting,
                    of_several(milliseconds),
                    f"{BATCH / median:,.0f}",
                    "–" if math.isnan(plain) else f"{plain / median:.2f}",
                    f"{found['first_step_seconds']:.0f}",
                    f"{found['peak_mib']:,}",
                    {True: "yes", False: "no", None: "–"}[found["same_weights"]],
                ]
            )
    header = [
        "detector",
        "setting",
        "step (ms)",
        "images a second",
        "÷ float32",
        "first step (s)",
        "peak memory (MiB)",
        "the same weights twice",
    ]
    gpu = f"{of['machine']['gpu']}; " if of["machine"]["gpu"] else ""
    size = of["image_size"]
    return f"""\
`python benchmarks/precision.py` on {gpu}{here(of)}. Training steps of {BATCH} images of {size}×{size} pixels
that are in memory: medians of {BLOCKS} blocks, smallest and largest in brackets. The last column says whether
{of["repeated"]} steps gave the same bytes in two processes (– where they were not repeated). What is
missing cannot be done there, or was not measured.

{table(header, rows)}"""


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    settings = {str(setting): setting for setting in SETTINGS}
    parser.add_argument("--settings", nargs="+", choices=settings, default=list(settings), metavar="SETTING")
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which nothing more is begun")
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=50, help="steps that are timed")
    parser.add_argument("--repeated", type=int, default=10, help="steps after which weights are compared")
    asked = parser.parse_args()
    began = time.monotonic()

    with tempfile.TemporaryDirectory() as compiled, ThreadPoolExecutor(AT_ONCE) as pool:

        def one(name: str, setting: str, steps: int, share: float) -> Figures | None:
            """Return what was measured; None if it cannot be, or the share of the time is over."""
            if time.monotonic() - began > 60 * asked.minutes * share:
                print(f"{name}, {setting}: there is no time left for it", flush=True)
                return None
            try:
                return alone(measured, name, asked.size, (asked.repeated, steps), settings[setting], compiled)
            except Exception as error:  # not every machine can do every setting, and they fail in many ways
                print(f"{name}, {setting}: {error}"[:300], flush=True)
                return None

        cells = [(name, setting) for setting in asked.settings for name in asked.models]
        weights = {cell: pool.submit(one, *cell, 0, FOR_WEIGHTS) for cell in cells if asked.repeated}
        wait(weights.values())
        for name, setting in cells:
            if not (found := one(name, setting, asked.steps, 1.0)):
                continue
            first = weights[name, setting].result() if weights else None
            its, kind = found.pop("weights"), found.pop("on")
            found["same_weights"] = its == first["weights"] if first else None
            print(f"{name}, {setting}: {found}, {time.monotonic() - began:.0f} s", flush=True)
            before = kept(asked.file).get(kind, {})
            models = before["models"] if before.get("machine") == measured_on()["machine"] else {}
            models = {**models, name: {**models.get(name, {}), setting: found}}
            figures = {"image_size": asked.size, "repeated": asked.repeated, "models": models}
            keep(asked.file, figures, part=kind)


if __name__ == "__main__":
    main()
