"""Measure `deepfake-ensemble` in use: one image, many files, many requests to the page.

    python benchmarks/use.py cold
    python benchmarks/use.py files [--count 10000]
    python benchmarks/use.py faces
    python benchmarks/use.py requests [--parallel 200] [--seconds 60]
    python benchmarks/use.py parity

`cold` times one image from the start of the process, a photograph that is classified by its face, and beside
them what loading the Keras ensemble instead takes; `files` compares the command's throughput, start and all,
with that of the bare ONNX session on the same images, already decoded, in the same batches, five times in
turn, and watches its memory; `faces` compares, in turn, photographs classified whole and by their face, by
the processor's time; `parity` compares what the command says of every image of the internal test split and of
the other data sets with the stored predictions. All take the images of data/packed and the model file
models/ensemble.onnx, or --model. Each adds its part to docs/measurements/use.json.
"""

import asyncio
import csv
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from deepfake_ensemble.evaluation.predictions import read_split
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, combine
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.workflow.generated import table
from harness import FOLDER, here, keep, kept, of_several, options

FILE = FOLDER / "use.json"
TEST = Path("data/packed/internal/test")
COMMAND = [sys.executable, "-m", "deepfake_ensemble.use.command_line"]
BARE = """
import sys, time
from pathlib import Path
import numpy as np
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.use.classifying import decode
classifier = Classifier(Path(sys.argv[1]))
files = sorted(Path(sys.argv[2]).iterdir())[:512]
images = [decode("", file.read_bytes(), classifier.metadata, "whole")[0].pixels for file in files]
many = classifier.batch_size
batches = [np.stack(images[i : i + many]) for i in range(0, len(images), many)]
classifier.p_fake(batches[0])
start, used, done = time.perf_counter(), time.process_time(), 0
while done < int(sys.argv[3]):
    for batch in batches:
        classifier.p_fake(batch)
        done += len(batch)
print(done / (time.perf_counter() - start), 1000 * (time.process_time() - used) / done)
"""


class Memory(threading.Thread):
    """Watches how much memory a process takes, in MiB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.seen: list[float] = []

    def run(self) -> None:
        while True:
            try:
                self.seen.append(self._process.memory_info().rss / 2**20)
            except psutil.Error:
                return
            time.sleep(0.1)

    def thirds(self) -> dict[str, float]:
        """Return the largest in each third of the time; a start-up counts to the first."""
        n = len(self.seen)
        names = ("first third", "second third", "last third")
        return {name: round(max(self.seen[n * k // 3 : n * (k + 1) // 3])) for k, name in enumerate(names)}


def files(file: Path, count: int, repeats: int) -> dict[str, Any]:
    """Let the bare session and the command take turns: how fast a machine is may change within minutes."""
    images = PackedImages(TEST)
    rates: dict[str, list[float]] = defaultdict(list)
    used: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"{number:06}.jpg").write_bytes(images[number % len(images)])
        bare = [sys.executable, "-c", BARE, str(file), folder, str(min(count, 2048))]
        command = [*COMMAND, "predict", "--whole", "--file", str(file), "--format", "jsonl", folder]
        before = _two_numbers(bare)
        for _ in range(repeats):
            start = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                memory = Memory(process.pid)
                memory.start()
                assert process.stdout
                rows = sum(1 for _ in process.stdout)
                _, status, usage = os.wait4(process.pid, 0)
            if os.waitstatus_to_exitcode(status) or rows != count:
                sys.exit(f"predict: exit code {os.waitstatus_to_exitcode(status)}, {rows} of {count} rows")
            rates["command"].append(round(rows / (time.perf_counter() - start), 1))
            used["command"].append(round(1000 * (usage.ru_utime + usage.ru_stime) / rows, 2))
            after = _two_numbers(bare)
            rates["bare_session"].append(round((before[0] + after[0]) / 2, 1))
            used["bare_session"].append(round((before[1] + after[1]) / 2, 2))
            before = after
    return {
        "images": count,
        "images_per_second": rates,
        "ratio": [
            round(ours / bare, 3) for ours, bare in zip(rates["command"], rates["bare_session"], strict=True)
        ],
        # On a machine that does other work as well, this tells more than the time on the clock.
        "processor_ms_per_image": used,
        "memory_mib": memory.thirds(),  # of the last turn
    }


def _two_numbers(program: list[str]) -> list[float]:
    return [float(each) for each in subprocess.run(program, capture_output=True, check=True).stdout.split()]


KERAS = """
import sys
from pathlib import Path
import numpy as np
from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.models import saved
ensemble = saved.load(Path("models/ensemble.keras"))
image = pixels(sys.stdin.buffer.read(), ensemble.input_shape[1])
print(ensemble.predict(np.stack([image]), verbose=0))
"""


COLD = {
    "seconds": "one image, from the start of the process, s",
    "by_face_seconds": "a photograph of 512 pixels by its face, s",
    "keras_seconds": "one image by loading the Keras ensemble, s",
}


def cold(file: Path, repeats: int) -> dict[str, Any]:
    image = PackedImages(TEST)[0]
    command = [*COMMAND, "predict", "--file", str(file)]
    programs = {
        "seconds": ([*command, "-"], image),
        "by_face_seconds": ([*command, "--faces", "only", "-"], _photograph(512)),
        "keras_seconds": ([sys.executable, "-c", KERAS], image),
    }
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        for name, (program, given) in programs.items():
            start = time.perf_counter()
            subprocess.run(program, input=given, capture_output=True, check=True)
            times[name].append(round(time.perf_counter() - start, 2))
    return dict(times)


def _photograph(side: int) -> bytes:
    """Return a photograph of one face, a JPEG of so many pixels a side."""
    image = Image.fromarray(photographs.read(photographs.COLOUR_PHOTOGRAPHS[0]).pixels)
    out = io.BytesIO()
    image.resize((side, side), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def faces(file: Path, count: int = 64, repeats: int = 3) -> dict[str, Any]:
    """Return the processor's time for one photograph from a cold start, and for each further one."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in (512, 2048):
            path = Path(folder) / f"{side}.jpg"
            path.write_bytes(_photograph(side))
            starts: dict[str, list[float]] = defaultdict(list)
            further: dict[str, list[float]] = defaultdict(list)
            for _ in range(repeats):
                for mode in ("whole", "only"):
                    command = [*COMMAND, "predict", "--file", str(file), "--faces", mode]
                    one, many = (_processor_seconds([*command, *[str(path)] * n]) for n in (1, count + 1))
                    starts[mode].append(round(one, 2))
                    further[mode].append(round(1000 * (many - one) / count, 1))
            found[f"{side} pixels"] = {"first_s": dict(starts), "further_ms": dict(further)}
    return found


def _processor_seconds(command: list[str]) -> float:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"predict: exit code {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


def parity(file: Path) -> dict[str, Any]:
    """Compare the command's probabilities with those in predictions/ and their weighted average."""
    weights = read_json(Path("reports/ensemble/weights.json"))
    found = {}
    others = sorted(index.parent for index in Path("data/packed").glob("*/index.csv"))
    for shards in (TEST, *others):
        images, split = PackedImages(shards), shards.name
        stored = read_split(weights, split, images.paths)
        expected = {**stored.p_fake, ENSEMBLE: combine(weights, stored.p_fake)}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(len(images)):
                (Path(folder) / f"{number:06}.jpg").write_bytes(images[number])
            done = subprocess.run(
                [*COMMAND, "predict", "--whole", "--file", str(file), "--format", "csv", folder],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        rows = sorted(csv.DictReader(done.stdout.splitlines()), key=lambda row: row["image"])
        if len(rows) != len(images):
            sys.exit(f"predict: {len(rows)} rows for {len(images)} images")
        found[split] = {
            "images": len(rows),
            "largest_difference": {
                name: max(abs(float(row[name]) - p) for row, p in zip(rows, of.tolist(), strict=True))
                for name, of in expected.items()
            },
        }
    return {"profile": read_json(Path("reports/run.json"))["profile"], "splits": found}


def requests(file: Path, parallel: int, seconds: float) -> dict[str, Any]:
    images = PackedImages(TEST)
    command = [*COMMAND, "serve", "--file", str(file), "--port", "0", "--rate", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        memory = Memory(process.pid)
        memory.start()
        try:
            assert process.stdout and process.stderr
            url = process.stdout.readline().split()[0]
            answers, times = asyncio.run(_ask(url, images, parallel, seconds))
            process.send_signal(signal.SIGINT)
            start = time.perf_counter()
            process.wait(30)
            ended = time.perf_counter() - start
            complaints = process.stderr.read()
        finally:
            process.kill()
    return {
        "parallel": parallel,
        "seconds": seconds,
        "answers": dict(answers),
        "median_ms": round(1000 * statistics.median(times)),
        "slowest_ms": round(1000 * max(times)),
        "memory_mib": memory.thirds(),
        "exit_code": process.returncode,
        "seconds_to_end": round(ended, 1),
        "complaints": complaints.splitlines()[:5],
    }


async def _ask(
    url: str, images: PackedImages, parallel: int, seconds: float
) -> tuple[Counter[str], list[float]]:
    answers: Counter[str] = Counter()
    times: list[float] = []
    end = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=parallel)

    async def client(number: int, session: httpx.AsyncClient) -> None:
        draw = random.Random(number)
        while time.monotonic() < end:
            image = images[draw.randrange(len(images))]
            bad = draw.random() < 0.1
            start = time.monotonic()
            answer = await session.post(
                f"{url}/api/classify", content=image[: len(image) // 3] if bad else image
            )
            times.append(time.monotonic() - start)
            answers[f"{answer.status_code}{' of a cut image' if bad else ''}"] += 1

    async with httpx.AsyncClient(limits=limits, timeout=120) as session:
        await asyncio.gather(*(client(number, session) for number in range(parallel)))
    return answers, times


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    rows = []
    if "cold" in results:
        of = results["cold"]
        ratio = statistics.median(of["keras_seconds"]) / statistics.median(of["seconds"])
        rows += [
            *([title, of_several(of[name], 2)] for name, title in COLD.items() if name in of),
            ["how many times as long that takes", f"{ratio:.1f}"],
        ]
    if "files" in results:
        of = results["files"]
        rows += [
            [
                f"{of['images']:,} files in one call, images a second",
                of_several(of["images_per_second"]["command"]),
            ],
            ["as a share of the bare ONNX session's, in turns", of_several(of["ratio"], 2)],
            ["memory in each third of it, MiB", ", ".join(f"{n:,}" for n in of["memory_mib"].values())],
        ]
    for size, used in results.get("faces", {}).items():
        first, further = used["first_s"], used["further_ms"]
        more = [by_face - whole for whole, by_face in zip(further["whole"], further["only"], strict=True)]
        rows += [
            [
                f"a photograph of {size} by its face, from the start, s of a core",
                of_several(first["only"], 2),
            ],
            ["of that what is whole takes, too", of_several(first["whole"], 2)],
            [f"finding faces in each further one of {size}, ms of a core", of_several(more)],
        ]
    if "requests" in results:
        of = results["requests"]
        answers = ", ".join(f"HTTP {answer}: {count:,}" for answer, count in sorted(of["answers"].items()))
        rows += [
            [f"{of['parallel']} requests at a time for {of['seconds']:.0f} s: answers", answers],
            ["median, and slowest, ms", f"{of['median_ms']:,}, {of['slowest_ms']:,}"],
            ["memory in each third of it, MiB ", ", ".join(f"{n:,}" for n in of["memory_mib"].values())],
            ["exit code after Ctrl-C, and seconds to it", f"{of['exit_code']}, {of['seconds_to_end']}"],
        ]
    for profile, compared in results.get("parity", {}).items():
        rows += [
            [
                f"profile {profile}, {split}: largest difference from {of['images']:,} stored predictions",
                f"{max(of['largest_difference'].values()):.1e}",
            ]
            for split, of in compared["splits"].items()
        ]
    parts = [f"`{name}`" for name in ("files", "faces", "requests", "parity") if name in results]
    head = f"`python benchmarks/use.py cold`, {', '.join(parts[:-1])} and {parts[-1]} on {here(results)}."
    return f"{head}\n\n{table(['the command and the page', ''], rows)}\n"


def main() -> None:
    parser = options(__doc__, FILE)
    parser.add_argument("what", choices=["cold", "files", "faces", "requests", "parity"])
    parser.add_argument("--model", type=Path, default=Path("models/ensemble.onnx"), help="the model file")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5, help="of cold and files")
    parser.add_argument("--parallel", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    found: dict[str, Any]
    if asked.what == "files":
        found = files(asked.model, asked.count, asked.repeats)
    elif asked.what == "requests":
        found = requests(asked.model, asked.parallel, asked.seconds)
    elif asked.what == "faces":
        found = faces(asked.model)
    elif asked.what == "cold":
        found = cold(asked.model, asked.repeats)
    else:
        compared = parity(asked.model)
        found = kept(asked.file).get("parity", {}) | {compared["profile"]: compared}
    print(json.dumps(found, indent=2))
    keep(asked.file, {asked.what: found})


if __name__ == "__main__":
    with exiting():
        main()
