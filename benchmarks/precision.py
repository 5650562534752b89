"""What mixed precision and XLA are worth: training steps under each value of `precision` and `jit_compile`.

    python benchmarks/precision.py [MODEL ...] [--settings SETTING ...] [--size 256] [--repeated 10]

Each setting has a process of its own and, but for what it names, the settings of the active profile, with
every instruction of the processor allowed. Steps train on one batch of 32 images that is in memory, nothing
is frozen. Afterwards each setting trains `--repeated` steps again, in other processes and several at once, to
see whether its weights come out the same; `--repeated 0` leaves that out. Where TensorFlow sees a GPU it
computes there. What a machine cannot do is left out. Nothing else should run meanwhile; takes half an hour on
an H100, most of it waiting for XLA. Writes docs/measurements/precision.json, which keeps what it holds of the
other kind of machine, and of other models and settings.
"""

import hashlib
import os
import resource
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from harness import FOLDER, alone, here, keep, kept, of_several, options, pin
from training_steps import BATCH, started, timed

FILE = FOLDER / "precision.json"


BLOCKS = 5  # of steps; the median of each is a measurement
AT_ONCE = 4  # processes that repeat a training


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


SETTINGS = [
    Setting("float32"),
    Setting("mixed_float16"),
    Setting("mixed_bfloat16"),
    Setting("float32", jit_compile=True),
    Setting("mixed_bfloat16", jit_compile=True),
    Setting("float32", repeatable=False),
    Setting("mixed_bfloat16", jit_compile=True, repeatable=False),
]


def measured(name: str, size: int, steps: int, setting: Setting) -> dict[str, Any]:
    """Measure one model under one setting in this process."""
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # other processes need memory, too
    pin(cpu_isa="native")
    import tensorflow as tf

    if not setting.repeatable:
        tf.config.experimental.enable_op_determinism = lambda: None
    adaptation = replace(started(setting.precision), jit_compile=setting.jit_compile)
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    found = timed(name, size, steps, adaptation)
    peak = (
        tf.config.experimental.get_memory_info("GPU:0")["peak"]
        if on_gpu
        else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    weights = hashlib.sha256()
    for variable in found.model.variables:
        weights.update(variable.numpy().tobytes())
    return {
        "on": "gpu" if on_gpu else "processor",
        "first_step_seconds": round(found.first, 2),
        "step_seconds": _medians(found.later),
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
        plain = statistics.median(by_setting[str(SETTINGS[0])]["step_seconds"])
        for setting, found in by_setting.items():
            milliseconds = [1000 * each for each in found["step_seconds"]]
            median = statistics.median(found["step_seconds"])
            rows.append(
                [
                    name,
                    setting,
                    of_several(milliseconds),
                    f"{BATCH / median:,.0f}",
                    f"{plain / median:.2f}",
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
{of["repeated"]} steps gave the same bytes in two other processes (– where they were not repeated). What is
missing cannot be done there, or was not measured.

{table(header, rows)}"""


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    settings = {str(setting): setting for setting in SETTINGS}
    parser.add_argument("--settings", nargs="+", choices=settings, default=list(settings), metavar="SETTING")
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=50, help="steps measured after the first")
    parser.add_argument("--repeated", type=int, default=10, help="steps of the trainings that are compared")
    asked = parser.parse_args()

    def one(name: str, setting: str, steps: int) -> dict[str, Any] | None:
        try:
            return alone(measured, name, asked.size, steps, settings[setting])
        except Exception as error:  # not every machine can do every setting, and they fail in many ways
            print(f"{name}, {setting}: {error}"[:300], flush=True)
            return None

    for name in asked.models:
        found = {}
        for setting in asked.settings:
            start = time.monotonic()
            if of := one(name, setting, asked.steps):
                found[setting] = of
            print(f"{name}, {setting}: {of}, {time.monotonic() - start:.0f} s", flush=True)
        if not found:
            continue
        with ThreadPoolExecutor(AT_ONCE) as pool:
            twice = {
                setting: [pool.submit(one, name, setting, asked.repeated) for _ in range(2)]
                for setting in found
                if asked.repeated
            }
        for of in found.values():
            of["same_weights"] = None
            del of["weights"]
        for setting, both in twice.items():
            weights = {of["weights"] if (of := each.result()) else None for each in both}
            found[setting]["same_weights"] = len(weights) == 1 and None not in weights
        kind = {of.pop("on") for of in found.values()}.pop()
        before = kept(asked.file).get(kind, {}).get("models", {})
        models = {**before, name: {**before.get(name, {}), **found}}
        figures = {"image_size": asked.size, "repeated": asked.repeated, "models": models}
        keep(asked.file, figures, part=kind)


if __name__ == "__main__":
    main()
