"""Measure `deepfake-ensemble classify-collection` on the 20,000 images of CIFAKE's test set.

    python benchmarks/collection.py killed
    python benchmarks/collection.py throughput [--images 3000] [--rounds 3]
    python benchmarks/collection.py faults
    python benchmarks/collection.py listing [--files 100000]
    python benchmarks/collection.py photographs
    python benchmarks/collection.py page

`killed` packs them as zip, tar and Parquet, 500 a shard, has two workers classify them, kills one of
these and then the driver with SIGKILL, runs the same command once more, and compares every row with what
`predict` says. `throughput` lets two workers, and two bare ONNX sessions on images already decoded, take
turns on a part of them, once for each model that it is given; such sessions in batches of 32, and in those
that the workers take, if these are others. `faults` counts what becomes of a shard
that is cut off, one that is missing and one whose storage fails. `listing` times a manifest of loose
files, and `photographs` the decoding of a photograph. The archive is data/local/cifake.zip, or --archive;
the model file models/ensemble.onnx, or --model. Each adds its part to docs/measurements/collection.json;
`page` shows them all in docs/collections.md.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.use.classifying import decode
from deepfake_ensemble.workflow.collection_plan import plan
from deepfake_ensemble.workflow.generated import refresh, table
from harness import FOLDER, here, keep, kept, of_several, options
from use import COMMAND, Memory

FILE = FOLDER / "collection.json"
PAGE = Path("docs/collections.md")
PER_SHARD = 500
WORKERS = 2
BY_HAND = 32  # images of a batch, as they are often taken
BARE = """
import sys, time
from collections import Counter
from pathlib import Path
import numpy as np
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.use.classifying import decode
from deepfake_ensemble.use.collection.shards import Shard, images
classifier = Classifier(Path(sys.argv[1]), threads=1)
shard = Shard(sys.argv[2], "zip", None, "")
found = [data for _, data in images(shard, Path(sys.argv[2]), column=None, passed=Counter())]
pixels = [decode("", data, classifier.metadata, "whole")[0].pixels for data in found]
many = int(sys.argv[4])
batches = [np.stack(pixels[i : i + many]) for i in range(0, len(pixels), many)]
classifier.p_fake_and_distance(batches[0])
print("ready", flush=True)
sys.stdin.readline()
start, used, done = time.perf_counter(), time.process_time(), 0
while done < int(sys.argv[3]):
    for batch in batches:
        classifier.p_fake_and_distance(batch)
        done += len(batch)
print(done / (time.perf_counter() - start), 1000 * (time.process_time() - used) / done)
"""


def cifake_test(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield CIFAKE's test images, by their paths."""
    with zipfile.ZipFile(archive) as file:
        for name in sorted(name for name in file.namelist() if name.startswith("test/")):
            if name.lower().endswith(".jpg"):
                yield name, file.read(name)


def pack(images: Iterator[tuple[str, bytes]], folder: Path, per_shard: int = PER_SHARD) -> int:
    """Pack images, so many a shard, as zip, tar and Parquet in turn; return how many there are."""
    folder.mkdir(parents=True)
    number = count = 0
    while some := list(islice(images, per_shard)):
        write = (_zip, _tar, _parquet)[number % 3]
        write(folder / f"{number:03}", some)
        number, count = number + 1, count + len(some)
    return count


def _zip(path: Path, images: Sequence[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        for name, data in images:
            archive.writestr(name, data)


def _tar(path: Path, images: Sequence[tuple[str, bytes]]) -> None:
    with tarfile.open(path.with_suffix(".tar"), "w") as archive:
        for name, data in images:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _parquet(path: Path, images: Sequence[tuple[str, bytes]]) -> None:
    cells = [{"bytes": data, "path": name} for name, data in images]
    pq.write_table(pa.table({"image": cells}), path.with_suffix(".parquet"))


def started(model: Path, *arguments: str | Path, workers: int = WORKERS) -> subprocess.Popen[bytes]:
    """Start the command, in a group of its own."""
    words = [
        *COMMAND,
        "classify-collection",
        "--file",
        model,
        "--workers",
        workers,
        "--threads",
        1,
        "--whole",  # CIFAKE's images show no faces, whatever the model was trained on
        *arguments,
    ]
    return subprocess.Popen(
        list(map(str, words)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def actors(driver: int) -> list[psutil.Process]:
    """Return the workers of a driver that have begun."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if process.cmdline()[:1] == ["ray::Worker"] or "ray::Worker" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def results(output: Path) -> list[Path]:
    """Return the results that are complete."""
    return [file for file in output.glob("results/*.parquet") if not file.name.startswith(".")]


def until(output: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many shards have results."""
    while len(results(output)) < count:
        if process.poll() is not None:
            raise UserError(f"classify-collection: ended with exit code {process.returncode}, too soon")
        time.sleep(0.2)


def killed(model: Path, archive: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder, output = Path(scratch) / "shards", Path(scratch) / "out"
        count = pack(cifake_test(archive), folder)
        shards = len(list(folder.iterdir()))
        arguments = (folder, "--output", output)
        with started(model, *arguments) as driver:
            until(output, shards // 4, driver)
            victim = actors(driver.pid)[0]
            victim.kill()
            until(output, shards // 2, driver)
            family = psutil.Process(driver.pid).children(recursive=True)
            driver.kill()
        after_driver = len(results(output))
        _, alive = psutil.wait_procs(family, timeout=60)  # with its driver a worker ends
        for process in alive:
            process.kill()
        with started(model, *arguments) as driver:
            until(output, after_driver + 2, driver)
            watched = [Memory(process.pid) for process in actors(driver.pid)]
            for each in watched:
                each.start()
            driver.wait()
        if driver.returncode:
            raise UserError(f"classify-collection: exit code {driver.returncode}")
        tables = [pq.read_table(file) for file in results(output)]
        said = {row["path"]: row for table_ in tables for row in table_.to_pylist()}
        rows = Counter(path for table_ in tables for path in table_.column("path").to_pylist())
        summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
        return {
            "images": count,
            "shards": shards,
            "bytes_per_image": round(summary["counts"]["bytes"] / count),
            "result_bytes_per_image": round(sum(file.stat().st_size for file in results(output)) / count, 1),
            "rows": sum(rows.values()),
            "rows_more_than_once": sum(number > 1 for number in rows.values()),
            "shards_done_when_the_driver_died": after_driver,
            "left_running_by_the_dead_driver": len(alive),
            "images_of_the_last_run": summary["run"]["images"],
            "counts": {key: summary["counts"][key] for key in ("verdicts", "bad", "unlike_training")},
            "memory_mib": [each.thirds() for each in watched],
            "largest_difference_from_predict": _compared(model, archive, said, Path(scratch)),
        }


def _compared(model: Path, archive: Path, said: Mapping[str, Any], scratch: Path) -> dict[str, float]:
    """Return by how much at most each detector's P(fake) differs from what `predict` says."""
    _zip(scratch / "all", list(cifake_test(archive)))
    command = [*COMMAND, "predict", "--file", str(model), "--format", "jsonl", str(scratch / "all.zip")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    predicted = [json.loads(line) for line in done.stdout.splitlines()]
    paths = {row["image"].removeprefix(f"{scratch / 'all.zip'}/"): row for row in predicted}
    if paths.keys() != said.keys():
        raise UserError("predict: has other images than classify-collection")
    detectors = [name for name in predicted[0] if name in next(iter(said.values())) and name.islower()]
    probabilities = [name for name in detectors if isinstance(predicted[0][name], float) and name != "size"]
    return {
        name: max(abs(row[name] - said[path][name]) for path, row in paths.items()) for name in probabilities
    }


def throughput(model: Path, archive: Path, images: int, rounds: int) -> dict[str, Any]:
    """Let workers and bare sessions take turns: how fast a machine is may change within minutes.

    What they use of the processors, for an image, does not depend on who else is at work there.
    """
    classifier = Classifier(model, threads=1)
    batches = {"bare_sessions": BY_HAND}
    if classifier.batch_size != BY_HAND:
        batches["bare_sessions_in_same_batches"] = classifier.batch_size
    rates: dict[str, list[float]] = {name: [] for name in ("workers", *batches)}
    used: dict[str, list[float]] = {name: [] for name in rates}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shards"
        pack(islice(cifake_test(archive), images), folder, per_shard=100)
        for number in range(rounds):
            shard = next(folder.glob("*.zip"))
            found = {name: _bare(model, shard, images // WORKERS, many) for name, many in batches.items()}
            found["workers"] = _workers(model, folder, Path(scratch) / f"out{number}")
            for key, (rate, milliseconds) in found.items():
                rates[key].append(round(rate, 1))
                used[key].append(round(milliseconds, 2))
            print(f"round {number}: {found}", flush=True)
    return {
        f"{classifier.metadata.image_size} pixels": {
            "images": images,
            "batch": classifier.batch_size,
            "images_per_second": rates,
            "processor_ms_per_image": used,
        }
    }


def _bare(model: Path, shard: Path, count: int, batch: int) -> tuple[float, float]:
    """Return images a second of all sessions together, and a processor's milliseconds for one."""
    command = [sys.executable, "-c", BARE, str(model), str(shard), str(count), str(batch)]
    sessions = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(WORKERS)
    ]
    for each in sessions:
        assert each.stdout
        each.stdout.readline()
    told = []
    for each in sessions:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in sessions:
        assert each.stdout
        told.append(tuple(map(float, each.stdout.readline().split())))
        each.wait()
    return sum(rate for rate, _ in told), sum(used for _, used in told) / WORKERS


def _workers(model: Path, folder: Path, output: Path) -> tuple[float, float]:
    """Return the same of workers, without their start and without the last shards."""
    shards = len(list(folder.iterdir()))
    samples: list[tuple[float, int, float]] = []  # when, how many shards were done, seconds used until then
    with started(model, folder, "--output", output) as driver:
        until(output, WORKERS, driver)
        at_work = actors(driver.pid)
        while (done := len(results(output))) < shards - WORKERS:
            try:
                times = [process.cpu_times() for process in at_work]
            except psutil.NoSuchProcess:  # they have ended since
                break
            samples.append((time.monotonic(), done, sum(each.user + each.system for each in times)))
            time.sleep(0.2)
        driver.wait()
    if driver.returncode:
        raise UserError(f"classify-collection: exit code {driver.returncode}")
    rows = pq.read_metadata(results(output)[0]).num_rows
    changes = [after for before, after in pairwise(samples) if after[1] > before[1]]
    (start, first, used), (end, last, in_all) = changes[0], changes[-1]
    images = (last - first) * rows
    return images / (end - start), 1000 * (in_all - used) / images


def faults(model: Path, archive: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder, output = Path(scratch) / "shards", Path(scratch) / "out"
        pack(islice(cifake_test(archive), 4 * PER_SHARD), folder)
        cut = folder / "001.tar"
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
        named = [*sorted(map(str, folder.iterdir())), str(folder / "gone.tar"), "/proc/self/mem"]
        (Path(scratch) / "list.txt").write_text("\n".join(named), encoding="utf-8")
        arguments = ("--manifest", Path(scratch) / "list.txt", "--output", output, "--retries", "0")
        with started(model, *arguments) as driver:
            code = driver.wait()
        summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
        return {
            "exit_code": code,
            "faults": dict(Counter(each["fault"] for each in summary["unfinished"])),
            "images": summary["counts"]["images"],
            "bad": summary["counts"]["bad"],
        }


def listing(files: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(files):
            folder = Path(scratch) / f"in/{number // 1000:06}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:09}.jpg").touch()
        manifest = Path(scratch) / "manifest.parquet"
        command = [*COMMAND, "list-collection", f"{scratch}/in", "--output", str(manifest)]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            memory = Memory(process.pid)
            memory.start()
            process.wait()
        seconds = time.perf_counter() - start
        return {
            "files": files,
            "seconds": round(seconds, 1),
            "files_per_second": round(files / seconds),
            "manifest_bytes_per_file": round(manifest.stat().st_size / files, 1),
            "memory_mib": memory.thirds(),
        }


def decoding(model: Path) -> dict[str, Any]:
    """Time what a worker does to a photograph before the networks see it, in one thread, at several sizes."""
    metadata = Classifier(model).metadata
    photograph = Image.fromarray(photographs.read(photographs.COLOUR_PHOTOGRAPHS[1]).pixels)
    found = {}
    for width in (256, 1024, 4096):
        height = width * 3 // 4
        file = io.BytesIO()
        photograph.resize((width, height)).save(file, "JPEG", quality=90)
        start, done = time.process_time(), 0
        while done < 5 or time.process_time() - start < 2:
            decode("", file.getvalue(), metadata, "whole")
            done += 1
        found[f"{width}×{height}"] = {
            "bytes": len(file.getvalue()),
            "images_per_second_and_core": round(done / (time.process_time() - start), 1),
        }
    return found


def _ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(of, to, strict=True)]


def page(figures: Mapping[str, Any]) -> str:
    """Return what was measured, and what follows for larger collections, in Markdown."""
    rows: list[list[str]] = []
    for side, of in figures.get("throughput", {}).items():
        rates, used = of["images_per_second"], of["processor_ms_per_image"]
        rows.append([f"a model of {side}: two workers, images a second", of_several(rates["workers"])])
        for name, many in (("bare_sessions", BY_HAND), ("bare_sessions_in_same_batches", of["batch"])):
            if name in rates:
                ratio = f"workers' rate over that of bare sessions in batches of {many}, {side}"
                rows += [
                    [f"two bare ONNX sessions, batches of {many}, images a second", of_several(rates[name])],
                    [
                        f"{ratio}, in turns",
                        of_several(_ratios(rates["workers"], rates[name]), 2),
                    ],
                    [
                        f"{ratio}, by processors' time",
                        of_several(_ratios(used[name], used["workers"]), 2),
                    ],
                ]
    if "killed" in figures:
        of = figures["killed"]
        memory = "; ".join(", ".join(f"{n:,}" for n in each.values()) for each in of["memory_mib"])
        rows += [
            [f"{of['images']:,} images in {of['shards']} shards, killed twice: rows", f"{of['rows']:,}"],
            ["images with more than one row", str(of["rows_more_than_once"])],
            ["shards with results when the driver was killed", str(of["shards_done_when_the_driver_died"])],
            ["images that the second run classified", f"{of['images_of_the_last_run']:,}"],
            [
                "largest difference from what `predict` says",
                f"{max(of['largest_difference_from_predict'].values()):.1e}",
            ],
            ["memory of each worker in each third of it, MiB", memory],
            ["bytes of results for an image", f"{of['result_bytes_per_image']:.0f}"],
        ]
    if "faults" in figures:
        of = figures["faults"]
        told = ", ".join(f"{name} {number}" for name, number in of["faults"].items())
        rows.append(
            [
                "a shard cut off, one missing, one on a broken disk: told as",
                f"{told}; exit code {of['exit_code']}",
            ]
        )
    if "listing" in figures:
        of = figures["listing"]
        rows += [
            [f"a manifest of {of['files']:,} local files, files a second", f"{of['files_per_second']:,}"],
            ["its bytes for a file", f"{of['manifest_bytes_per_file']:.0f}"],
        ]
    head = f"`python benchmarks/collection.py` on {here(figures)}, by default with the sample's model file."
    parts = [head, table(["a collection", ""], rows)]
    if {"killed", "listing", "photographs"} <= figures.keys():
        parts.append(plan(figures))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = options(__doc__, FILE)
    parser.add_argument("what", choices=["killed", "throughput", "faults", "listing", "photographs", "page"])
    parser.add_argument("--model", type=Path, default=Path("models/ensemble.onnx"), help="the model file")
    parser.add_argument("--archive", type=Path, default=Path("data/local/cifake.zip"), help="of CIFAKE")
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000)
    asked = parser.parse_args()
    if asked.what == "page":
        refresh(PAGE, {"measured": page(read_json(asked.file))})
        return
    found = _measured(asked)
    print(json.dumps(found, indent=2))
    before = kept(asked.file).get(asked.what, {}) if asked.what == "throughput" else {}  # of other models
    keep(asked.file, {asked.what: before | found})


def _measured(asked: argparse.Namespace) -> dict[str, Any]:
    match asked.what:
        case "killed":
            return killed(asked.model, asked.archive)
        case "throughput":
            return throughput(asked.model, asked.archive, asked.images, asked.rounds)
        case "faults":
            return faults(asked.model, asked.archive)
        case "listing":
            return listing(asked.files)
        case _:
            return decoding(asked.model)


if __name__ == "__main__":
    with exiting():
        main()
