"""Peak memory of reading training batches, by the number of images; nothing is cached.

    python benchmarks/reading_memory.py [--images 14000 140000]

Packs so many JPEGs of 256×256 pixels (12 to 30 kB; 140,000 of them take 3.5 GB of disk, given back at the
end) and reads one shuffled epoch as `fit` does, TensorFlow included, each number in a process of its own.
Takes two minutes. Writes docs/measurements/reading_memory.json.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.files import write_json
from reading import SIZE, pictures
from timing import alone, here, measured_on

FILE = Path("docs/measurements/reading_memory.json")
QUALITY = 95


def epoch(folder: Path) -> dict[str, float]:
    """Read one epoch and return what that took."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from deepfake_ensemble.reading.batches import BatchReader
    from deepfake_ensemble.reading.records import PackedImages
    from loaders import as_in_fit

    reader = BatchReader(PackedImages(folder), SIZE)
    start = time.perf_counter()
    images = as_in_fit(reader)(1)
    seconds = time.perf_counter() - start
    assert images == len(reader)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
    return {"peak_mib": round(peak / 2**20, 1), "images_per_second": round(images / seconds, 1)}


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    from deepfake_ensemble.workflow.generated import table

    least = min(of["peak_mib"] for of in results["images"].values())
    rows = [
        [
            f"{int(count):,}",
            f"{of['packed_bytes'] / 1e9:.2f}",
            f"{of['peak_mib']:,.0f}",
            f"{of['peak_mib'] / least:.2f}",
            f"{of['images_per_second']:,.0f}",
        ]
        for count, of in results["images"].items()
    ]
    header = ["images", "packed (GB)", "peak memory (MiB)", "÷ the least", "images a second"]
    return f"""\
`python benchmarks/reading_memory.py` on {here(results)}. One shuffled epoch of JPEGs of {SIZE}×{SIZE}
pixels, read as `fit` reads them with `cache: none`; the peak is the whole process's, with TensorFlow in it.

{table(header, rows)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[14_000, 140_000])
    parser.add_argument("--file", type=Path, default=FILE, help=f"what to write; default {FILE}")
    parser.add_argument("--epoch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.epoch:
        print(json.dumps(epoch(asked.epoch)))
        return
    import stand_ins

    files = pictures(QUALITY)
    results: dict[str, Any] = {**measured_on(), "images": {}}
    for count in asked.images:
        with tempfile.TemporaryDirectory() as scratch:
            stand_ins.packed(Path(scratch), files, count)
            size = sum(file.stat().st_size for file in Path(scratch).iterdir())
            results["images"][str(count)] = {"packed_bytes": size, **alone(__file__, "--epoch", scratch)}
        print(f"{count:,} images: {results['images'][str(count)]}", flush=True)
    write_json(asked.file, results)
    print(f"{asked.file}: written")


if __name__ == "__main__":
    main()
