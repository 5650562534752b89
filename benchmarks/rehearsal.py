"""The study's data at full size, without a GPU: from both archives to the shards that training reads.

    python benchmarks/rehearsal.py [pipeline] [tracked] [--shares 0.1 1] [--loose 20000 140000] [--repeats 5]
        [--folder /tmp]

`pipeline`: stand-ins of Kaggle's archives (140,000 images of 256 pixels, 120,000 of 32; see stand_ins.py) are
written into a clone of the last commit, where `dvc repro download audit split pack` runs with profile `paper`
and source `local`. Then come `dvc status`, a `dvc repro` that has nothing to do, and what DVC itself spends
around a training after the change of one param. The training is played by a command that writes files of the
same size, because only DVC's share is measured; every other stage is the real one. `tracked`: the same images
as loose files and as shards: `dvc add`, `status`, `checkout` and `push`. Without a name: both.

It takes about an hour, more than half of it `tracked`, and 30 GB in --folder, which are freed at the end.
Nothing else should run meanwhile. Writes docs/measurements/rehearsal.json; what is not measured keeps its
figures.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvc.utils.serialize import modify_yaml

import stand_ins
from deepfake_ensemble.archives.archive import open_archive
from deepfake_ensemble.archives.index import read_split
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.sample.archives import write_zip
from deepfake_ensemble.workflow.generated import table
from measured_run import run
from timing import ENVIRONMENT, here, measured_on, of_several, rounds, seconds

FILE = Path("docs/measurements/rehearsal.json")
PARTS = ("pipeline", "tracked")
STAGES = ("download", "audit", "split", "pack")
POOL = 3_000  # distinct pictures of each size
COUNTS = {"train": 100_000, "val": 20_000, "test": 20_000, "cifake": 20_000}
MODEL_BYTES = 140_000_000  # the CNN's, the largest of the four at 256 pixels
PER_SHARD = 5_000
GIT = {**ENVIRONMENT, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

# Stands for `python` in a clone: a training is played, anything else is the real thing.
PYTHON = """#!/bin/sh
case "$*" in
*deepfake_ensemble.studies.ensemble.stages.train*)
  date +%s.%N > {folder}/started
  head -c {size} /dev/urandom > models/cnn.keras
  mkdir -p models/curves/cnn && date +%s.%N > models/curves/cnn/curve.tsv
  date +%s.%N > {folder}/ended ;;
*) exec {python} "$@" ;;
esac
"""


def archives(folder: Path, share: float) -> dict[str, int]:
    """Write both stand-ins, or a share of them, into `folder`; return their bytes."""
    folder.mkdir(parents=True)
    for name, entries, size, quality in (
        ("faces", stand_ins.faces, 256, 95),
        ("cifake", stand_ins.cifake, 32, 75),
    ):
        files = stand_ins.pictures(size, quality, max(10, round(POOL * min(1, 10 * share))))
        write_zip(folder / f"{name}.zip", entries(stand_ins.distinct(files), share))
    return {file.stem: file.stat().st_size for file in sorted(folder.glob("*.zip"))}


def clone(folder: Path, counts: Mapping[str, int]) -> None:
    """Clone the last commit into `folder`; profile `paper`, archives from data/local."""
    seconds(["git", "clone", "--quiet", ".", str(folder)], Path.cwd(), GIT)
    with modify_yaml(str(folder / "params.yaml")) as params:
        params["profile"] = "paper"
        params["profiles"]["paper"]["source"] = "local"
        params["profiles"]["paper"]["counts"] = dict(counts)


def check(folder: Path, counts: Mapping[str, int]) -> None:
    """Make sure that the splits and packs hold exactly `counts` images, half of each class, no face twice."""
    seen: set[str] = set()
    for split, count in counts.items():
        rows = read_split(folder / f"data/splits/{split}.csv")
        fake = sum(row.label for row in rows)
        packed = PackedImages(folder / f"data/packed/{split}")
        paths = {f"{'cifake' if split == 'cifake' else 'faces'}/{row.path}" for row in rows}
        if (len(rows), 2 * fake, len(packed)) != (count, count, count) or paths & seen:
            raise UserError(
                f"{split}: {len(rows):,} images, {fake:,} fake, {len(packed):,} packed, for {count:,}"
            )
        seen |= paths


def rehearsed(folder: Path, share: float, repeats: int) -> dict[str, Any]:
    """Run the four stages over a `share` of both archives, and what follows them; return what it took."""
    counts = {split: 2 * round(count * share / 2) for split, count in COUNTS.items()}
    clone(folder, counts)
    images = {"faces": round(140_000 * share), "cifake": round(120_000 * share)}
    print(f"writing stand-ins of {images['faces']:,} and {images['cifake']:,} images", flush=True)
    sizes = archives(folder / "data/local", share)
    with contextlib.chdir(folder):
        start = time.perf_counter()
        stages = run(list(STAGES))
        total = time.perf_counter() - start
        check(Path(), counts)
    found = {
        "archive_bytes": sizes,
        "images": images,
        "counts": counts,
        "seconds": round(total, 1),
        "stages": stages,
        "status_seconds": rounds(repeats, lambda: seconds(["dvc", "status"], folder)),
        "no_op_seconds": rounds(repeats, lambda: seconds(["dvc", "repro", *STAGES], folder)),
        "around_training_seconds": around_training(folder, repeats),
    }
    print(found, flush=True)
    return found


def around_training(folder: Path, repeats: int) -> list[float]:
    """Return what DVC itself spends on `dvc repro train@cnn` after another learning rate, in seconds."""
    shim = folder / ".shim"
    shim.mkdir()
    python = shim / "python"
    python.write_text(PYTHON.format(folder=shim, size=MODEL_BYTES, python=sys.executable))
    python.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{shim}:{ENVIRONMENT['PATH']}"}
    command = ["dvc", "repro", "train@cnn"]
    seconds(command, folder, environment)

    def once(rate: float) -> float:
        with modify_yaml(str(folder / "params.yaml")) as params:
            params["models"]["cnn"]["learning_rate"] = rate
        (shim / "started").unlink()
        whole = seconds(command, folder, environment)
        started, ended = (float((shim / name).read_text()) for name in ("started", "ended"))
        return whole - (ended - started)

    return [round(once(1e-3 * (number + 2)), 3) for number in range(repeats)]


def loose_and_sharded(
    folder: Path, archive: Path, counts: Sequence[int], repeats: int
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return seconds by number of images, by loose or shards, by what DVC does with them."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for count in counts:
        found[str(count)] = {}
        for kind in ("shards", "loose"):
            found[str(count)][kind] = _tracked(folder / "tracked", archive, count, kind == "loose", repeats)
            print(count, kind, found[str(count)][kind], flush=True)
    return found


def _tracked(folder: Path, archive: Path, count: int, loose: bool, repeats: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    for _ in range(repeats):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "images").mkdir(parents=True)
        _unpack(archive, folder / "images", count, loose)
        for command in (
            ["git", "init", "--quiet"],
            ["dvc", "init", "--quiet"],
            ["dvc", "remote", "add", "--quiet", "--default", "store", str(folder / "store")],
        ):
            seconds(command, folder, GIT)
        for name, command in (
            ("add", ["dvc", "add", "images"]),
            ("status", ["dvc", "status"]),
            ("checkout", ["dvc", "checkout"]),
            ("push", ["dvc", "push"]),
        ):
            if name == "checkout":
                shutil.rmtree(folder / "images")
            taken.setdefault(name, []).append(round(seconds(command, folder, GIT), 2))
    shutil.rmtree(folder)
    return taken


def _unpack(archive: Path, folder: Path, count: int, loose: bool) -> None:
    with open_archive(archive) as opened:
        names = [name for name in opened.stored_order if LAYOUTS["faces"].place(name)][:count]
        if loose:
            for name in names:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(opened.read(name))
        else:
            records.write(folder, ((name, 0, opened.read(name)) for name in names), len(names), PER_SHARD)


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    parts = [f"`python benchmarks/rehearsal.py` on {here(results)}.\n"]
    if "pipeline" in results:
        parts.append(_pipeline_page(results["pipeline"]))
    if "tracked" in results:
        parts.append(
            "The same images as loose files in a folder that DVC tracks, and in shards of"
            f" {PER_SHARD:,} as they are here;\nseconds:\n\n{_tracked_table(results['tracked'])}\n"
        )
    return "\n".join(parts)


def _pipeline_page(pipeline: Mapping[str, Any]) -> str:
    shares = sorted(pipeline, key=float)
    runs = [pipeline[share] for share in shares]
    largest = runs[-1]
    header = ["stage", "images", "peak, MiB"]
    for of in runs:
        header += [f"s, {of['images']['faces']:,} faces", "µs an image"]
    rows = []
    for name, figures in largest["stages"].items():
        row = [name, f"{images_of(name, largest):,}", f"{figures['peak_mib']:,}"]
        for of in runs:
            taken = of["stages"][name]["seconds"]
            row += [f"{taken:,.1f}", f"{1e6 * taken / images_of(name, of):,.0f}"]
        rows.append(row)
    commands = [
        [told, *(of_several(of[key], 2) for of in runs)]
        for key, told in (
            ("status_seconds", "`dvc status`"),
            ("no_op_seconds", "`dvc repro` of these stages, nothing to do"),
            ("around_training_seconds", "DVC around a training, after another learning rate"),
        )
    ]
    sizes = {name: f"{size / 1e9:.2f} GB" for name, size in largest["archive_bytes"].items()}
    exact = ", ".join(f"{count:,} ({split})" for split, count in largest["counts"].items())
    return f"""\
Both archives, of images of our own: {largest["images"]["faces"]:,} of 256 pixels ({sizes["faces"]}),
{largest["images"]["cifake"]:,} of 32 ({sizes["cifake"]}).
`dvc repro download audit split pack` with profile `paper` took
{largest["seconds"] / 60:.1f} minutes, and the splits hold exactly {exact} images, half of each class.

{table(header, rows)}

{table(["after it, s", *(f"{of['images']['faces']:,} faces" for of in runs)], commands)}
"""


def images_of(stage: str, run: Mapping[str, Any]) -> int:
    """Return how many images a stage goes through."""
    name, _, item = stage.partition("@")
    if name == "split":
        return sum(run["images"].values())
    return run["counts" if name == "pack" else "images"][item]


def _tracked_table(tracked: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{int(count):,}: `dvc {name}`",
            of_several(of["loose"][name]),
            of_several(of["shards"][name]),
            f"{statistics.median(of['loose'][name]) / statistics.median(of['shards'][name]):.1f}",
        ]
        for count, of in tracked.items()
        for name in of["loose"]
    ]
    return table(["images", "loose", "shards", "ratio"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: both")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 1.0], help="of both archives")
    parser.add_argument(
        "--loose", type=int, nargs="+", default=[20_000, 140_000], help="images tracked loose"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, help="where there is room; default: the system's for such things"
    )
    parser.add_argument("--file", type=Path, default=FILE, help=f"what to write; default {FILE}")
    asked = parser.parse_args()
    if missing := [name for name in ("dvc", "git") if shutil.which(name, path=ENVIRONMENT["PATH"]) is None]:
        sys.exit(f"{', '.join(missing)}: not found")
    parts = asked.parts or list(PARTS)
    if strange := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(strange))}")
    results = json.loads(asked.file.read_text(encoding="utf-8")) if asked.file.exists() else {}
    results |= measured_on()
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=asked.folder) as scratch:
        folder = Path(scratch)
        if "pipeline" in parts:
            results["pipeline"] = {}
            for share in sorted(asked.shares):
                results["pipeline"][f"{share:g}"] = rehearsed(folder / "clone", share, asked.repeats)
                shutil.rmtree(folder / "clone")
        if "tracked" in parts:
            # A little more, because a share of each folder's images is a whole number.
            archives(folder / "stand-ins", min(1.0, 1.01 * max(asked.loose) / 140_000))
            results["tracked"] = loose_and_sharded(
                folder, folder / "stand-ins/faces.zip", asked.loose, asked.repeats
            )
    write_json(asked.file, results)
    print(f"{asked.file}: written")


if __name__ == "__main__":
    try:
        main()
    except (UserError, subprocess.SubprocessError) as error:
        sys.exit(str(error))
