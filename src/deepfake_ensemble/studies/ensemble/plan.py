"""What the pipeline does at the active profile, in numbers, and what would run now: `make plan`.

The numbers follow from params.yaml; what would run is DVC's own answer. Nothing is computed and nothing
changed.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import rich.box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from deepfake_ensemble.evaluation.settings import INTERNAL
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture
from deepfake_ensemble.perturbing.perturbations import conditions
from deepfake_ensemble.studies.ensemble import params as schema

# What an image takes as a JPEG file, by source and layout. sample: the means over both archives. local: over
# 1,800 of the 140k faces at quality 75, and over all of CIFAKE. kaggle: the faces' quality there was not
# seen; this is what the same faces take at quality 95.
BYTES_PER_IMAGE = {
    "sample": {"faces": 1_007, "cifake": 783},
    "local": {"faces": 11_382, "cifake": 923},
    "kaggle": {"faces": 26_099, "cifake": 923},
}
# How many images the publishers' archives hold.
PUBLISHED = {"faces": 140_000, "cifake": 120_000}
BYTES_PER_ENTRY = 200  # a zip names each image twice
BYTES_PER_RECORD = 16  # TFRecord's length and check sums
BYTES_PER_ROW = 120  # at most, in the pipeline's tables of images


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage, or one item of it.

    Attributes:
        stage: its name in dvc.yaml.
        item: which of the stage's items; empty if it has none.
        numbers: what it does, by name.
        text: the same for people.
        gpu: whether it computes with TensorFlow long enough to want one.
        disk: bytes of its results in the workspace; None if nothing tells.
        measured: whether `disk` is that of results that exist, not an estimate.
        runs: whether `dvc repro` runs it: yes, no, perhaps (if a stage before it changes what it reads) or
            unknown (DVC is busy).
        why: what changed, for `yes`.
    """

    stage: str
    item: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    text: str
    gpu: bool = False
    disk: int | None = None
    measured: bool = False
    runs: str
    why: str = ""


@dataclass(frozen=True)
class Known:
    """What DVC knows of a stage: its description, its state (`Step.runs`), and its last results' bytes."""

    name: str
    desc: str
    runs: str
    why: str
    size: int | None


@dataclass(frozen=True)
class Work:
    """What an item of a stage does, in words and in numbers; `disk` and `gpu` as in `Step`."""

    text: str
    numbers: dict[str, Any] = field(default_factory=dict)
    disk: int | None = None
    gpu: bool = False


def plan(whole: schema.Params, pipeline: list[Known]) -> list[Step]:
    """Return the pipeline's steps in the order in which DVC runs them."""
    steps = []
    for known in pipeline:
        stage, _, item = known.name.partition("@")
        work = WORK[stage](whole, item) if stage in WORK else Work(known.desc.rstrip("."))
        exact = known.runs == "no" and known.size is not None
        if stage == "initialise" and known.runs == "no":
            count = parameters(Path("models/initial") / f"{item}.weights.h5")
            work = replace(
                work, text=f"{work.text}: {count:,} parameters", numbers=work.numbers | {"parameters": count}
            )
        steps.append(
            Step(
                stage=stage,
                item=item,
                numbers=work.numbers,
                text=work.text,
                gpu=work.gpu,
                disk=known.size if exact or work.disk is None else work.disk,
                measured=exact,
                runs=known.runs,
                why=known.why,
            )
        )
    return steps


def _profile(whole: schema.Params) -> schema.Profile:
    return whole.profiles[whole.profile]


def _download(whole: schema.Params, item: str) -> Work:
    data_set, source = whole.data_sets[item], _profile(whole).source
    if source == "sample":
        return Work(f"{item}.zip, synthesised from photographs, seed {whole.sample.seed}", {"source": source})
    images = PUBLISHED[data_set.layout]
    if source == "kaggle":
        each = BYTES_PER_IMAGE[source][data_set.layout] + BYTES_PER_ENTRY
        return Work(
            f"{item}.zip from Kaggle: {data_set.kaggle}, version {data_set.version}",
            {"source": source, "kaggle": data_set.kaggle, "version": data_set.version, "images": images},
            disk=images * each,
        )
    archive = Path("data/local") / f"{item}.zip"
    there = archive.is_file()
    return Work(
        f"{item}.zip from {archive}" + ("" if there else ", which is not there yet"),
        {"source": source, "archive": str(archive), "present": there},
        disk=archive.stat().st_size if there else None,
    )


def _audit(whole: schema.Params, item: str) -> Work:
    layout = whole.data_sets[item].layout
    images = PUBLISHED[layout] if _profile(whole).source == "kaggle" else None
    return Work(
        f"decodes and hashes {'all' if images is None else f'{images:,}'} images of {item}.zip",
        {} if images is None else {"images": images},
        disk=None if images is None else images * BYTES_PER_ROW,
    )


def _split(whole: schema.Params, item: str) -> Work:
    counts = _profile(whole).counts
    return Work(
        ", ".join(f"{split} {count:,}" for split, count in counts.items()) + "; half of them fake",
        {"images": dict(counts)},
        disk=sum(counts.values()) * BYTES_PER_ROW,
    )


def _pack(whole: schema.Params, item: str) -> Work:
    images = _profile(whole).counts[item]
    shards = _ceil(images, whole.pack.images_per_shard)
    layout = whole.data_sets[item if item in whole.data_sets else INTERNAL].layout
    each = BYTES_PER_IMAGE[_profile(whole).source][layout]
    return Work(
        f"{images:,} images in {shards} TFRecord shard{'s' * (shards > 1)}",
        {"images": images, "shards": shards},
        disk=images * (each + BYTES_PER_RECORD + BYTES_PER_ROW),
    )


def _initialise(whole: schema.Params, item: str) -> Work:
    registered = architecture.find(item)
    if _profile(whole).initial_weights == "random" or registered.imagenet is None:
        return Work(f"random weights, seed {whole.seed}", {"weights": "random", "seed": whole.seed})
    file = registered.imagenet.url.rsplit("/", 1)[-1]
    return Work(f"ImageNet weights, {file}", {"weights": "imagenet", "file": file})


def _train(whole: schema.Params, item: str) -> Work:
    profile = _profile(whole)
    recipe = profile.training.shortened(whole.training)
    size, images, validated = profile.image_size, profile.counts["train"], profile.counts["val"]
    steps, validation_steps = _ceil(images, recipe.batch_size), _ceil(validated, recipe.validation_batch_size)
    multiplier = profile.training.learning_rate_multiplier.of(architecture.find(item))
    rate = whole.models[item].learning_rate * multiplier
    frozen = whole.models[item].network.get("frozen_layers", 0)
    if _initialise(whole, item).numbers["weights"] == "random":
        frozen = 0
    parts = [
        f"{images:,} images of {size}×{size}: {steps:,} steps of {recipe.batch_size}",
        f"at most {recipe.epochs} epochs",
        f"validates {validation_steps:,} steps of {recipe.validation_batch_size}",
        f"learning rate {rate:.3g}",
        *([f"first {frozen} layers frozen"] if frozen else []),
    ]
    numbers = {
        "images": images,
        "image_size": size,
        "steps_per_epoch": steps,
        "validation_steps": validation_steps,
        "epochs_at_most": recipe.epochs,
        "learning_rate": rate,
        "frozen_layers": frozen,
        "precision": profile.training.precision,
    }
    return Work(", ".join(parts), numbers, gpu=True)


def _predict(whole: schema.Params, item: str) -> Work:
    profile = _profile(whole)
    images = sum(count for split, count in profile.counts.items() if split != "train")
    batches = sum(
        _ceil(count, profile.prediction_batch_size)
        for split, count in profile.counts.items()
        if split != "train"
    )
    return Work(
        f"{images:,} images in {batches:,} batches of {profile.prediction_batch_size}",
        {"images": images, "batches": batches, "batch_size": profile.prediction_batch_size},
        disk=images * BYTES_PER_ROW,
        gpu=True,
    )


def _perturb(whole: schema.Params, item: str) -> Work:
    profile = _profile(whole)
    images = min(profile.perturbed_images, profile.counts["test"])
    kinds = len(conditions(whole.robustness))
    if not images:
        return Work("nothing: perturbed_images is 0 in this profile", {"images": 0}, disk=0)
    return Work(
        f"{images:,} images under {kinds} conditions",
        {"images": images, "conditions": kinds},
        disk=images * kinds * BYTES_PER_ROW,
        gpu=True,
    )


WORK: Mapping[str, Callable[[schema.Params, str], Work]] = {
    "download": _download,
    "audit": _audit,
    "split": _split,
    "pack": _pack,
    "initialise": _initialise,
    "train": _train,
    "predict": _predict,
    "perturb": _perturb,
}


def parameters(weights: Path) -> int:
    """Return how many parameters a file of weights holds, without building their network."""
    import h5py

    count = 0

    def add(name: str, entry: Any) -> None:
        nonlocal count
        if isinstance(entry, h5py.Dataset) and "seed_generator" not in name:
            count += entry.size

    with h5py.File(weights) as file:
        file.visititems(add)
    return count


def _ceil(count: int, of: int) -> int:
    return -(-count // of)


def ask_dvc() -> list[Known]:
    """Return what DVC knows of each stage, in the order in which it runs them.

    Raises:
        UserError: if dvc.yaml or dvc.lock cannot be read.
    """
    import networkx
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        repo = Repo()
        stages = {stage.addressing: stage for stage in repo.index.stages}
        graph = repo.index.graph  # from each stage to those it reads from
        status: dict[str, Any] | None
        try:
            status = repo.status()
        except LockError:
            status = None  # `dvc repro` is at work
    except DvcException as error:
        message = " ".join(str(error).split())
        remedy = "; `git checkout dvc.lock` restores it" if "dvc.lock" in message else ""
        raise UserError(f"dvc: {message}{remedy}") from None
    position = {name: number for number, name in enumerate(stages)}
    order = networkx.lexicographical_topological_sort(
        graph.reverse(), key=lambda stage: position.get(stage.addressing, len(position))
    )
    known, changing = [], set()
    for stage in order:
        if stage.addressing not in stages:
            continue
        runs, why = _state(status, stage.addressing)
        if runs == "no" and any(before in changing for before in graph.successors(stage)):
            runs = "perhaps"
        if runs in ("yes", "perhaps"):
            changing.add(stage)
        sizes = [out.meta.size if out.meta else None for out in stage.outs]
        size = None if None in sizes else sum(size or 0 for size in sizes)
        if runs == "yes" and not any(out.hash_info for out in stage.outs):
            why = "it has not run yet"
        known.append(Known(stage.addressing, stage.desc or "", runs, why, size))
    return known


def _state(status: Mapping[str, Any] | None, stage: str) -> tuple[str, str]:
    """Return `Step.runs` and `Step.why` from what `dvc status` says of a stage."""
    if status is None:
        return "unknown", ""
    if stage not in status:
        return "no", ""
    reasons: dict[str, None] = {}  # in order, each once
    for entry in status[stage]:
        if isinstance(entry, str):
            reasons[entry] = None  # "changed command", "always changed"
            continue
        for path, how in entry.get("changed deps", {}).items():
            if isinstance(how, dict):
                reasons |= dict.fromkeys(how)  # params, by their keys
            elif path.startswith("src/"):
                reasons["code"] = None
            elif how != "deleted":  # else a stage before it makes it
                reasons[path] = None
    return "yes", ", ".join(reasons) or "its result or what it reads is not here"


def render(profile: str, whole: schema.Params, steps: list[Step], console: Console) -> None:
    """Print the plan: in a terminal as a table with lines, elsewhere as plain columns."""
    settings = whole.profiles[profile]
    processor = settings.processor
    plain = not console.is_terminal
    table = Table(box=None if plain else rich.box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "item", "what it does", "disk", "GPU", "runs"):
        table.add_column(name, justify="right" if name == "disk" else "left", overflow="fold")
    last = ""
    for step in steps:
        disk = "" if step.disk is None else f"{'' if step.measured else '~'}{decimal(step.disk)}"
        runs = f"yes: {step.why}" if step.why else step.runs
        table.add_row(
            "" if step.stage == last else step.stage,
            step.item,
            step.text,
            disk,
            "if any" if step.gpu else "",
            runs,
        )
        last = step.stage
    heading = (
        f"profile {profile}: source {settings.source}, images of {settings.image_size}×{settings.image_size},"
        f" initial weights {settings.initial_weights}, {settings.training.precision},"
        f" {processor.threads or 'all'} threads, {processor.cpu_isa}"
    )
    console.print(heading, soft_wrap=True, highlight=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)
    for note in _notes(steps, settings.source):
        console.print(note, soft_wrap=not console.is_terminal, highlight=False)


def _notes(steps: list[Step], source: str) -> list[str]:
    needed = sum(step.disk or 0 for step in steps)
    unknown = list(dict.fromkeys(step.stage for step in steps if step.disk is None))
    each = BYTES_PER_IMAGE[source]
    origin = {
        "sample": "the means of the sample archives",
        "local": "the means of 1,800 real faces at quality 75 and of CIFAKE",
        "kaggle": "the means of real faces at quality 95 and of CIFAKE",
    }[source]
    notes = []
    notes.append(
        f"disk: {decimal(needed)} in the workspace, and as much again in DVC's cache where the file system"
        f" cannot share blocks; {decimal(shutil.disk_usage('.').free)} are free."
    )
    notes.append(
        f"~ is an estimate: {each['faces']:,} bytes a face and {each['cifake']:,} a CIFAKE image, {origin};"
        " what follows from no count is taken to be as large as in the last run."
    )
    if unknown:
        notes.append(f"Not in it, because nothing tells yet: {', '.join(unknown)}.")
    states = [step.runs for step in steps]
    if "unknown" in states:
        notes.append("runs: unknown, because DVC is at work in this folder; ask again when it has finished.")
    elif states.count("no") == len(states):
        notes.append("runs: nothing, everything is up to date.")
    else:
        notes.append(
            f"runs: {states.count('yes')} of {len(states)}; what DVC's run cache has is taken from there."
        )
    if "perhaps" in states:
        notes.append("perhaps: only if what it reads comes out otherwise.")
    return notes


def main() -> None:
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    arguments = parser.parse_args()
    whole = schema.CHECK.read()
    steps = plan(whole, ask_dvc())
    if arguments.json:
        print(json.dumps({"profile": whole.profile, "steps": [asdict(step) for step in steps]}, indent=2))
    else:
        console = Console()
        render(whole.profile, whole, steps, console if console.is_terminal else Console(width=400))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
