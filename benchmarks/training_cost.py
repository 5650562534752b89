"""What a training costs on this machine, for `make estimate`: steps, memory, network sizes, decoding.

    python benchmarks/training_cost.py [MODEL ...] [--size 256] [--steps 5]

For each model, in a process of its own: training steps of 32 images that are in memory, after the first; the
process's peak memory; the network's parameters and the values that its layers put out for one image. Then, of
stand-ins of that size (quality 95), how many a second the batch reader decodes. Nothing else should run
meanwhile. Writes docs/measurements/training_cost.json.
"""

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from harness import FOLDER, alone, here, keep, of_several, options, pin
from training_steps import BATCH, Training, started

FILE = FOLDER / "training_cost.json"

DECODED = 640  # images in each round


def measured(name: str, size: int, steps: int) -> dict[str, Any]:
    """Measure one model in this process."""
    pin()
    training = Training(name, size, started())
    (first,), later = training.steps(1), training.steps(steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "first_step_seconds": round(first, 2),
        "step_seconds": [round(each, 3) for each in later],
        "peak_mib": peak,
        "parameters": training.model.count_params(),
        "values_per_image": sum(_outputs(training.model)),
    }


def _outputs(model: Any) -> Iterator[int]:
    """Yield how many values each layer puts out for one image."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _outputs(layer)
        else:
            yield prod(layer.output.shape[1:])


def decoded(size: int, repeats: int) -> list[float]:
    """Return images a second that `BatchReader` decodes with as many threads as there are cores."""
    import numpy as np

    import stand_ins
    from deepfake_ensemble.reading.batches import BatchReader

    with tempfile.TemporaryDirectory() as folder:
        files = stand_ins.pictures(size, 95, DECODED)
        packed = stand_ins.packed(Path(folder), files, len(files))
        reader = BatchReader(packed, size, threads=os.cpu_count() or 1)
        rates = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            for positions in np.split(np.arange(DECODED), DECODED // BATCH):
                reader.read(positions)
            rates.append(round(DECODED / (time.perf_counter() - start), 1))
    return rates[1:]


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    from deepfake_ensemble.workflow.generated import table

    rows = [
        [
            name,
            f"{of['parameters'] / 1e6:.1f}",
            of_several(of["step_seconds"], 2),
            f"{BATCH / statistics.median(of['step_seconds']):.1f}",
            f"{of['first_step_seconds']:.0f}",
            f"{of['peak_mib']:,}",
        ]
        for name, of in results["models"].items()
    ]
    header = ["model", "parameters, M", "step, s", "images/s", "first step, s", "peak, MiB"]
    rate = of_several(results["decoded_per_second"], 0)
    return f"""\
`python benchmarks/training_cost.py` on {here(results)}: training steps of {BATCH} images of
{results["image_size"]} pixels. The batch reader decodes {rate} of them a second.

{table(header, rows)}
"""


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=5, help="steps measured after the first")
    asked = parser.parse_args()
    found = {}
    for name in asked.models:
        found[name] = alone(measured, name, asked.size, asked.steps)
        print(f"{name}: {found[name]}", flush=True)
    rates = decoded(asked.size, repeats=5)
    keep(
        asked.file,
        {"image_size": asked.size, "batch": BATCH, "models": found, "decoded_per_second": rates},
    )


if __name__ == "__main__":
    main()
