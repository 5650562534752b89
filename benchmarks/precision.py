"""What mixed precision and XLA are worth: training steps under each value of `precision` and `jit_compile`.

    python benchmarks/precision.py [MODEL ...] [--settings SETTING ...] [--minutes 9] [--size 256]

Each measurement has a process of its own and, but for what it names, the settings of the active profile,
with all cores and instructions of the processor allowed. Steps train on one batch of 32 images that is in
memory, nothing is frozen. An epoch is what `fit` makes of packed JPEGs, the second of two, by the first of
the settings. Of each setting all models first train `--repeated` steps, or an epoch, at once, for the
weights and for what XLA compiles, which is kept in a folder until the end; then one after the other trains
as many again, whose weights are compared, and what is timed. Where TensorFlow sees a GPU it computes there.
What a machine cannot do is left out. Nothing else should run meanwhile. With `--minutes` it ends in about
that time: what comes first is the most important, each with all models (by default the active profile's
members), figures are kept one by one, and what there was no time for is not measured. Writes
docs/measurements/precision.json, which keeps what it holds of the other kind of machine, and of other
models and settings on the same one. What reading costs beside the step on a processor:
benchmarks/feeding.py.
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
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import params
from harness import FOLDER, alone, here, keep, kept, measured_on, of_several, options, pin
from training_steps import BATCH, Training, built, started

FILE = FOLDER / "precision.json"
Figures = dict[str, Any]


BLOCKS = 5  # of steps; the median of each is a measurement
AT_ONCE = 8  # processes that compile, and train for their weights


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
    Setting("float32"),
    Setting("mixed_bfloat16", jit_compile=True),
    Setting("mixed_float16", jit_compile=True),
    Setting("mixed_bfloat16"),
    Setting("mixed_float16"),
    Setting("float32", repeatable=False),
    Setting("mixed_bfloat16", jit_compile=True, repeatable=False),
]
PLAIN = str(Setting("float32"))
EPOCH = "an epoch"  # stands among the settings: how long one takes, under the first of them


def prepared(setting: Setting, compiled: str) -> tuple[Any, int]:
    """Start TensorFlow under a setting; return the profile's, with what it changes, and how many read.

    Args:
        setting: how steps are computed.
        compiled: a folder for what XLA compiles.
    """
    os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={compiled}"
    readers = pin(cpu_isa="native", threads=0).readers
    import tensorflow as tf

    if not setting.repeatable:
        tf.config.experimental.enable_op_determinism = lambda: None
    return replace(started(setting.precision), jit_compile=setting.jit_compile), readers


def measured(name: str, size: int, steps: tuple[int, int], setting: Setting, compiled: str) -> Figures:
    """Measure one model under one setting in this process.

    Args:
        name: the model.
        size: side of the images in pixels.
        steps: so many after which the weights are taken, and so many that are timed after these.
        setting: how steps are computed.
        compiled: a folder for what XLA compiles.
    """
    adaptation, _ = prepared(setting, compiled)
    import tensorflow as tf

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
        "on": _device(),
        "first_step_seconds": round(first, 2),
        "step_seconds": _medians(later),
        "peak_mib": round(peak / 2**20),
        "weights": weights.hexdigest(),
    }


def fed(name: str, size: int, length: tuple[int, int], setting: Setting, compiled: str) -> Figures:
    """Let `fit` train one model from packed JPEGs in this process, and measure the last epoch.

    Args:
        name: the model.
        size: side of the images in pixels; the JPEGs have it, too.
        length: images of an epoch, whole batches, so that XLA compiles one step; and epochs, of which the
            first compiles and the last is measured.
        setting: how steps are computed.
        compiled: a folder for what XLA compiles.
    """
    images, epochs = length
    adaptation, readers = prepared(setting, compiled)
    import stand_ins
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.training.ensemble import fitting
    from deepfake_ensemble.training.ensemble.recipe import Recipe
    from deepfake_ensemble.training.shared.checkpoint import Checkpoint

    done = [time.perf_counter()]
    recipe = Recipe(
        epochs=epochs,
        batch_size=BATCH,
        accumulation=1,
        validation_batch_size=BATCH,
        early_stopping_patience=epochs,
    )
    with tempfile.TemporaryDirectory() as scratch:
        files = stand_ins.pictures(size, 75, 256)
        train, validation = (
            BatchReader(stand_ins.packed(Path(scratch) / split, files, count), size, threads=readers)
            for split, count in (("train", images), ("val", BATCH))
        )
        fitting.fit(
            built(name, size),
            train,
            validation,
            recipe=recipe,
            learning_rate=1e-6,
            jit_compile=adaptation.jit_compile,
            seed=0,
            checkpoint=Checkpoint(Path(scratch) / "checkpoint", {}, save_every=math.inf),
            follow=lambda step, figures: done.append(time.perf_counter()),
        )
    return {
        "on": _device(),
        "images": images,
        "readers": readers,
        "seconds": round(done[-1] - done[-2], 3),
        "setting": str(setting),
    }


def _device() -> str:
    import tensorflow as tf

    return "gpu" if tf.config.list_physical_devices("GPU") else "processor"


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
the time, so a smaller number format (`precision`) alone saves memory, and time only in the CNN's few large
ones. XLA (`jit_compile`) joins operations and helps most. It has no repeatable gradient of max pooling;
where it compiles, ours takes its place, in the step alone (`training/shared/pooling.py`). What XLA compiles
for a GPU is kept in `models/compiled`. On processors leave both as they are: XLA is several times slower
there, and so is bfloat16 without instructions for it (`avx512_bf16`). Predictions are not compiled: a
model's of the whole study take minutes, as compiling does."""


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
                    _first_steps(found),
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
        "first step, again (s)",
        "peak memory (MiB)",
        "the same weights twice",
    ]
    gpu = f"{of['machine']['gpu']}; " if of["machine"]["gpu"] else ""
    size = of["image_size"]
    return f"""\
`python benchmarks/precision.py` on {gpu}{here(of)}. Training steps of {BATCH} images of {size}×{size} pixels
that are in memory: medians of {BLOCKS} blocks, smallest and largest in brackets. The last column says whether
{of["repeated"]} steps gave the same bytes in two processes (– where they were not repeated). The first step
compiles; "again" is that of a process for which XLA's programs were kept. What is missing cannot be done
there, or was not measured.

{table(header, rows)}{_epochs(of)}"""


def _first_steps(found: Mapping[str, Any]) -> str:
    """Return the seconds of the first step, and of the first step of the process after that."""
    again = found.get("first_step_again_seconds")
    return f"{found['first_step_seconds']:.0f}" + ("" if again is None else f", {again:.0f}")


def _epochs(of: Mapping[str, Any]) -> str:
    """Return a table of the epochs that were measured; nothing where none was."""
    from deepfake_ensemble.workflow.generated import table

    rows = []
    for name, epoch in of.get("epochs", {}).items():
        rate = epoch["images"] / epoch["seconds"]
        steps = of["models"].get(name, {}).get(epoch["setting"])
        alone = BATCH / statistics.median(steps["step_seconds"]) if steps else math.nan
        rows.append(
            [
                name,
                epoch["setting"],
                f"{epoch['images']:,}",
                f"{epoch['seconds']:.1f}",
                f"{rate:,.0f}",
                "–" if math.isnan(alone) else f"{rate / alone:.2f}",
            ]
        )
    header = ["detector", "setting", "images", "seconds", "images a second", "÷ steps alone"]
    head = "An epoch of `fit` from packed JPEGs of that size, its validation included:"
    return f"\n\n{head}\n\n{table(header, rows)}" if rows else ""


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    settings = {str(setting): setting for setting in SETTINGS}
    what = list(settings)
    what.insert(1, EPOCH)
    parser.set_defaults(models=params.read("members", list[str]))
    parser.add_argument("--settings", nargs="+", choices=what, default=what, metavar="SETTING")
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which nothing more is begun")
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=50, help="steps that are timed")
    parser.add_argument("--repeated", type=int, default=10, help="steps after which weights are compared")
    parser.add_argument("--images", type=int, default=2048, help="in an epoch, rounded up to whole batches")
    asked = parser.parse_args()
    began = time.monotonic()

    def one(name: str, setting: str, compiled: str, *, timed: bool) -> Figures | None:
        """Return what was measured; None if it cannot be, or the time is over."""
        if time.monotonic() - began > 60 * asked.minutes:
            print(f"{name}, {setting}: there is no time left for it", flush=True)
            return None
        try:
            if setting == EPOCH:
                images = math.ceil(asked.images / BATCH) * BATCH
                return alone(fed, name, asked.size, (images, 1 + timed), SETTINGS[0], compiled)
            steps = asked.repeated, asked.steps if timed else 0
            return alone(measured, name, asked.size, steps, settings[setting], compiled)
        except Exception as error:  # not every machine can do every setting, and they fail in many ways
            print(f"{name}, {setting}: {error}"[:300], flush=True)
            return None

    with tempfile.TemporaryDirectory() as compiled, ThreadPoolExecutor(AT_ONCE) as pool:
        for setting in asked.settings:
            before = {name: pool.submit(one, name, setting, compiled, timed=False) for name in asked.models}
            wait(before.values())
            for name, first in before.items():
                if found := one(name, setting, compiled, timed=True):
                    kind = found.pop("on")
                    figures = _with_first(found, first.result()) if setting != EPOCH else found
                    print(f"{name}, {setting}: {figures}, {time.monotonic() - began:.0f} s", flush=True)
                    _keep(asked.file, kind, asked.size, asked.repeated, (name, setting, figures))


def _with_first(found: Figures, first: Figures | None) -> Figures:
    """Return what was measured, with what the process before it tells: equal weights, and all compiling."""
    its = found.pop("weights")
    return {
        **found,
        "first_step_seconds": first["first_step_seconds"] if first else found["first_step_seconds"],
        "first_step_again_seconds": found["first_step_seconds"] if first else None,
        "same_weights": its == first["weights"] if first else None,
    }


def _keep(file: Path, kind: str, size: int, repeated: int, measurement: tuple[str, str, Figures]) -> None:
    """Add a measurement to those of the same machine and size; an epoch to `epochs`, steps to `models`."""
    name, setting, figures = measurement
    before = kept(file).get(kind, {})
    if before.get("machine") != measured_on()["machine"] or before.get("image_size") != size:
        before = {}
    models, epochs = before.get("models", {}), before.get("epochs", {})
    if setting == EPOCH:
        epochs = {**epochs, name: figures}
    else:
        models = {**models, name: {**models.get(name, {}), setting: figures}}
    new = {"image_size": size, "repeated": repeated, "models": models, "epochs": epochs}
    keep(file, new, part=kind)


if __name__ == "__main__":
    main()
