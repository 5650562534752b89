"""Reading training batches: ours, what users would otherwise run, and what libjpeg-turbo alone decodes.

    python benchmarks/reading.py [--images 16384] [--repeats 5] [--least 1] [--cores 2]

Reads JPEGs of 256×256 pixels and 12 to 30 kB, shuffled, half of them mirrored, in batches of 32. Each way has
a process of its own; they take turns, and each turn reads whole epochs. Nothing else should run meanwhile;
takes a quarter of an hour. Writes docs/measurements/reading.json.
"""

import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import FOLDER, here, keep, of_several, options

FILE = FOLDER / "reading.json"
SIZE = 256
QUALITIES = (95, 75)
BYTES = range(12_000, 30_001)
DISTINCT = 512  # pictures; further files are these again
LIMIT, OURS = "libjpeg-turbo alone", "ours"


def pictures(quality: int) -> list[bytes]:
    """Return JPEGs of photographs, of the sizes that are wanted."""
    import stand_ins

    files: list[bytes] = []
    seed = 0
    while len(files) < DISTINCT:
        drawn = stand_ins.pictures(SIZE, quality, DISTINCT, seed)
        files += [file for file in drawn if len(file) in BYTES]
        seed += 1
    return files[:DISTINCT]


def lay_out(folder: Path, files: list[bytes], count: int) -> None:
    """Write `count` files, loose in a folder a class, and packed as the pipeline packs them."""
    from deepfake_ensemble.reading import records

    classes = ("real", "fake")
    for name in classes:
        (folder / "files" / name).mkdir(parents=True)
    packed = []
    for number in range(count):
        label, file = number % 2, files[number % len(files)]
        path = f"{classes[label]}/{number:06}.jpg"
        (folder / "files" / path).write_bytes(file)
        packed.append((path, label, file))
    (folder / "packed").mkdir()
    records.write(folder / "packed", packed, count, 5_000)


def serve(asked: Connection, name: str, folder: Path, cores: int) -> None:
    """Read whenever a number of epochs comes in, and answer with images and seconds."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from loaders import LOADERS

    read = LOADERS[name](folder, SIZE, cores)
    while epochs := asked.recv():
        start = time.perf_counter()
        images = read(epochs)
        asked.send((images, time.perf_counter() - start))


class Loader:
    """A way to read, in a process of its own."""

    def __init__(self, name: str, folder: Path, cores: int, least: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, name, folder, cores), daemon=True).start()
        theirs.close()  # so that the end of the process ends what is received
        self._epochs = 1
        self.rate()  # what is only needed once is done now
        self._epochs = math.ceil(least / self._read()[1])

    def rate(self) -> float:
        """Return how many images a second it reads now."""
        images, seconds = self._read()
        return round(images / seconds, 1)

    def _read(self) -> tuple[int, float]:
        self._ours.send(self._epochs)
        return self._ours.recv()

    def close(self) -> None:
        """End the process."""
        self._ours.send(0)


def measured(
    folder: Path, names: Iterable[str], repeats: int, cores: int, least: float
) -> dict[str, list[float]]:
    """Return each way's rates, in images a second."""
    loaders = {name: Loader(name, folder, cores, least) for name in names}
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(repeats):
        for name, loader in loaders.items():
            rates[name].append(loader.rate())
    for loader in loaders.values():
        loader.close()
    return rates


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    from deepfake_ensemble.workflow.generated import table

    qualities = results["qualities"]
    rows = []
    for name in next(iter(qualities.values()))["rates"]:
        row = [name]
        for of in qualities.values():
            median = {each: statistics.median(rates) for each, rates in of["rates"].items()}
            row += [
                of_several(of["rates"][name], 0),
                f"{median[name] / median[LIMIT]:.2f}",
                f"{median[OURS] / median[name]:.2f}",
            ]
        rows.append(row)
    header = [""]
    for quality in qualities:
        header += [f"quality {quality}: images a second", "÷ libjpeg-turbo", "ours ÷ it"]
    sizes = "; ".join(
        f"quality {quality}: {of['bytes']['smallest'] / 1e3:.0f} to {of['bytes']['largest'] / 1e3:.0f} kB"
        for quality, of in qualities.items()
    )
    return f"""\
`python benchmarks/reading.py` on {here(results)}; {results["cores"]} cores were used.
Batches of 32 from {results["images"]:,} JPEGs of {SIZE}×{SIZE} pixels ({sizes}), shuffled over all
of them, half of them mirrored; medians of {results["repeats"]} turns, smallest and largest in brackets.
libjpeg-turbo alone decodes and does nothing else. {_verdict(qualities)}

{table(header, rows)}
"""


def _verdict(qualities: Mapping[str, Any]) -> str:
    """Return in a sentence whether another loader that does the same work is faster than ours."""
    own = {LIMIT, *(name for of in qualities.values() for name in of["rates"] if name.startswith(OURS))}
    faster = sorted(
        {
            name
            for of in qualities.values()
            for name, rates in of["rates"].items()
            if name not in own and statistics.median(rates) > statistics.median(of["rates"][OURS])
        }
    )
    return f"Faster than ours: {', '.join(faster)}." if faster else "No other loader is faster than ours."


def main() -> None:
    parser = options(__doc__, FILE)
    parser.add_argument("--images", type=int, default=16384, help="files that are read")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each way")
    parser.add_argument("--least", type=float, default=1.0, help="seconds that a turn lasts at least")
    parser.add_argument("--cores", type=int, default=2, help="cores that each way may use")
    asked = parser.parse_args()
    from loaders import LOADERS

    qualities = {}
    for quality in QUALITIES:
        files = pictures(quality)
        sizes = sorted(map(len, files))
        with tempfile.TemporaryDirectory() as scratch:
            lay_out(Path(scratch), files, asked.images)
            rates = measured(Path(scratch), LOADERS, asked.repeats, asked.cores, asked.least)
        span = {"smallest": sizes[0], "median": statistics.median(sizes), "largest": sizes[-1]}
        qualities[str(quality)] = {"bytes": span, "rates": rates}
        for name, found in rates.items():
            print(f"quality {quality}: {name}: {of_several(found, 0)} images a second", flush=True)
    figures = {"cores": asked.cores, "images": asked.images, "repeats": asked.repeats}
    keep(asked.file, figures | {"qualities": qualities})


if __name__ == "__main__":
    main()
