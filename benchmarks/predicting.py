"""Predicting with the detectors: the paper's way, one image at a time, against the predict stage's.

    python benchmarks/predicting.py [MODEL ...] [--sizes 40 256] [--images 64] [--repeats 5]

The paper's way is Keras' own: `ImageDataGenerator` over a folder of images, batch size 1, `model.predict`.
Ours is what the predict stage does: packed images, batches of 64, one graph. Both start from the same JPEG
files of the right size, take turns, and run with the processor settings of the active profile; each model has
a process of its own and random weights. After that come other batch sizes of ours. Nothing else should run
meanwhile. Writes docs/measurements/predicting.json.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness import FOLDER, alone, here, keep, of_several, options, pin
from training_steps import built

FILE = FOLDER / "predicting.json"

BATCH = 64  # profiles.NAME.prediction_batch_size
OTHER_BATCHES = (1, 4, 16, 32)


def measured(name: str, size: int, count: int, repeats: int) -> dict[str, Any]:
    """Measure one detector in this process; rates in images a second."""
    settings = pin()
    import numpy as np

    import stand_ins
    from deepfake_ensemble.inference.predictor import Predictor
    from deepfake_ensemble.models import session
    from deepfake_ensemble.reading.batches import BatchReader

    session.start(seed=0)
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    model = built(name, size)
    predictor = Predictor(model)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images/fake"
        folder.mkdir(parents=True)
        files = stand_ins.pictures(size, 95, count)
        for number, file in enumerate(files):
            (folder / f"{number:06}.jpg").write_bytes(file)
        packed = stand_ins.packed(Path(scratch) / "packed", files, count)
        reader = BatchReader(packed, size, threads=settings.readers)
        generator = ImageDataGenerator().flow_from_directory(
            folder.parent, target_size=(size, size), batch_size=1, class_mode="binary", shuffle=False
        )

        def ours(batch: int = BATCH) -> Any:
            return predictor.predict(reader.in_order(batch), lambda _: None)

        def papers() -> Any:
            generator.reset()
            return model.predict(generator, verbose=0)[:, 0]  # the detector scales by itself

        ours()  # both are traced by now
        model.predict(generator, steps=1, verbose=0)
        found: dict[str, list[float]] = {"papers": [], "ours": []}
        for _ in range(repeats):
            one_by_one, rate = _rated(papers, count)
            found["papers"].append(rate)
            together, rate = _rated(ours, count)
            found["ours"].append(rate)
        return {
            **found,
            "largest_difference": float(np.abs(one_by_one - together).max()),
            "spread": float(np.ptp(together)),
            "traced": predictor._run.experimental_get_tracing_count(),
            "by_batch": {
                str(batch): _rated(lambda of=batch: ours(of), count)[1]
                for batch in (*OTHER_BATCHES, BATCH)
                if batch <= count
            },
        }


def _rated(predict: Callable[[], Any], count: int) -> tuple[Any, float]:
    start = time.perf_counter()
    result = predict()
    return result, round(count / (time.perf_counter() - start), 2)


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    from deepfake_ensemble.workflow.generated import (
        table,  # it imports NumPy, for which `measured` is not ready
    )

    parts = [
        f"""\
`python benchmarks/predicting.py` on {here(results)}. Images a second: the paper's way (`ImageDataGenerator`,
batch 1, `model.predict`), and the predict stage's (packed images, batches of {BATCH}). The whole ensemble is
one detector after the other, either way."""
    ]
    for size, found in results["sizes"].items():
        rows = []
        for name, of in found.items():
            ratio = statistics.median(of["ours"]) / statistics.median(of["papers"])
            apart = f"{of['largest_difference']:.0e}"
            rows.append([name, of_several(of["papers"]), of_several(of["ours"]), f"{ratio:.2f}", apart])
        whole = {
            way: sum(1 / statistics.median(of[way]) for of in found.values()) for way in ("papers", "ours")
        }
        rows.append(
            [
                "**one after the other**",
                *(f"{1 / each:,.1f}" for each in whole.values()),
                f"**{whole['papers'] / whole['ours']:.2f}**",
                f"{max(of['largest_difference'] for of in found.values()):.0e}",
            ]
        )
        header = [f"{size}×{size}", "paper's", "ours", "ratio", "largest difference"]
        parts += [table(header, rows), "Ours by batch size, one round:", _by_batch(found)]
    parts.append(
        f"`prediction_batch_size` is chosen by these tables: {BATCH} in every profile, at the size of\n"
        "the sample's images because smaller batches are slower, at 256 pixels because none is faster by\n"
        "more than the rounds above differ."
    )
    return "\n\n".join(parts) + "\n"


def _by_batch(found: Mapping[str, Any]) -> str:
    from deepfake_ensemble.workflow.generated import table

    batches = sorted({int(batch) for of in found.values() for batch in of["by_batch"]})
    rows = [
        [name, *(f"{of['by_batch'][str(batch)]:,.1f}" for batch in batches)] for name, of in found.items()
    ]
    return table(["detector", *map(str, batches)], rows)


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[40, 256], help="sides of the images, pixels")
    parser.add_argument("--images", type=int, default=64, help="predicted in each round")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of either way")
    asked = parser.parse_args()
    sizes: dict[str, dict[str, Any]] = {}
    for size in asked.sizes:
        found = sizes.setdefault(str(size), {})
        for name in asked.models:
            found[name] = alone(measured, name, size, asked.images, asked.repeats)
            print(f"{name} at {size}: {found[name]}", flush=True)
    keep(asked.file, {"images": asked.images, "sizes": sizes})


if __name__ == "__main__":
    main()
