"""What a training costs on this machine, for `make estimate`: steps, memory, network sizes, decoding.

    python benchmarks/training_cost.py [MODEL ...] [--size 256] [--steps 5]

For each model, in a process of its own: training steps of 32 images that are in memory, after the first; the
process's peak memory; the network's parameters and the values that its layers put out for one image. Then, of
stand-ins of that size (quality 95), how many a second the batch reader decodes. Nothing else should run
meanwhile. Writes docs/measurements/training_cost.json.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import params, processor
from deepfake_ensemble.foundation.files import write_json
from timing import alone, here, measured_on, of_several
from training_steps import BATCH, timed

FILE = Path("docs/measurements/training_cost.json")
DECODED = 640  # images in each round


def measured(name: str, size: int, steps: int) -> dict[str, Any]:
    """Measure one model in this process."""
    profile = params.active_profile()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    settings = params.read(f"{profile}.processor", processor.Processor)
    processor.pin(settings)
    from deepfake_ensemble.models import session
    from deepfake_ensemble.training.ensemble.recipe import Adaptation
    from deepfake_ensemble.training.shared.adam import adam

    adaptation = params.read(f"{profile}.training", Adaptation)
    session.start(0, adaptation.precision, adaptation.optimize_graph)
    found = timed(name, adam(1e-4), size, steps, adaptation)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "first_step_seconds": round(found.first, 2),
        "step_seconds": [round(each, 3) for each in found.later],
        "peak_mib": peak,
        "parameters": found.model.count_params(),
        "values_per_image": sum(_outputs(found.model)),
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    known = list(params.read("models", dict[str, Any]))
    parser.add_argument("models", nargs="*", default=known, metavar="MODEL")
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=5, help="steps measured after the first")
    parser.add_argument("--file", type=Path, default=FILE, help=f"what to write; default {FILE}")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        name, size = asked.alone
        print(json.dumps(measured(name, int(size), asked.steps)))
        return
    results: dict[str, Any] = {**measured_on(), "image_size": asked.size, "batch": BATCH, "models": {}}

    for name in asked.models:
        found = alone(__file__, "--steps", asked.steps, "--alone", name, asked.size)
        results["models"][name] = found
        print(f"{name}: {found}", flush=True)
    results["decoded_per_second"] = decoded(asked.size, repeats=5)
    write_json(asked.file, results)
    print(f"{asked.file}: written")


if __name__ == "__main__":
    main()
