"""Tell what a study's pipeline does at the active profile, in numbers, and what would run now.

The numbers follow from params.yaml; what would run is DVC's own answer. Nothing is computed and nothing
changed.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic

import rich.box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.studies.common.params import Check, P


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

    @property
    def stage(self) -> str:
        """Its name in dvc.yaml."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str:
        """Which of the stage's items; empty if it has none."""
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class Work:
    """What an item of a stage does, in words and in numbers; `disk` and `gpu` as in `Step`."""

    text: str
    numbers: dict[str, Any] = field(default_factory=dict)
    disk: int | None = None
    gpu: bool = False


@dataclass(frozen=True)
class Plan(Generic[P]):
    """The plan of a study.

    Attributes:
        check: of its params.yaml.
        work: what an item does, by stage; a stage that is not here is told by its description in dvc.yaml.
        setting: what is said of the active profile beside what all studies have.
        basis: on what estimates of sizes rest.
    """

    check: Check[P]
    work: Mapping[str, Callable[[P, Known], Work]]
    setting: Callable[[P], str]
    basis: Callable[[P], str]

    def steps(self, whole: P, pipeline: Sequence[Known]) -> list[Step]:
        """Return the pipeline's steps in the order in which DVC runs them.

        Args:
            whole: params.yaml.
            pipeline: what DVC knows of each stage, in that order (`ask_dvc`).
        """
        return [self._step(whole, known) for known in pipeline]

    def _step(self, whole: P, known: Known) -> Step:
        does = self.work.get(known.stage)
        work = does(whole, known) if does else Work(known.desc.rstrip("."))
        exact = known.runs == "no" and known.size is not None
        return Step(
            stage=known.stage,
            item=known.item,
            numbers=work.numbers,
            text=work.text,
            gpu=work.gpu,
            disk=known.size if exact or work.disk is None else work.disk,
            measured=exact,
            runs=known.runs,
            why=known.why,
        )

    def main(self) -> None:
        """Print the plan of the working folder's study, and exit with code 1 where there is none."""
        parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
        parser.add_argument("--json", action="store_true", help="print it as JSON")
        arguments = parser.parse_args()
        with exiting():
            whole = self.check.read()
            steps = self.steps(whole, ask_dvc())
        if arguments.json:
            print(json.dumps({"profile": whole.profile, "steps": [asdict(step) for step in steps]}, indent=2))
            return
        profile, console = whole.active, Console()
        heading = (
            f"profile {whole.profile}: source {profile.source}, images of {profile.image_size}×"
            f"{profile.image_size}, {self.setting(whole)}, {profile.training.precision},"
            f" {profile.processor.threads or 'all'} threads, {profile.processor.cpu_isa}"
        )
        render(
            heading,
            steps,
            self.basis(whole),
            console if console.is_terminal else Console(width=400),
        )


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


def render(heading: str, steps: Sequence[Step], basis: str, console: Console) -> None:
    """Print a plan: in a terminal as a table with lines, elsewhere as plain columns.

    Args:
        heading: a line about the profile.
        steps: of the plan, one a line.
        basis: on what estimates of sizes rest; for the last line.
        console: where it is printed.
    """
    plain = not console.is_terminal
    table = Table(box=None if plain else rich.box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "item", "what it does", "disk", "GPU", "runs"):
        table.add_column(name, justify="right" if name == "disk" else "left", overflow="fold")
    last = ""
    for step in steps:
        disk = "" if step.disk is None else f"{'' if step.measured else '~'}{decimal(step.disk)}"
        table.add_row(
            "" if step.stage == last else step.stage,
            step.item,
            step.text,
            disk,
            "if any" if step.gpu else "",
            f"yes: {step.why}" if step.why else step.runs,
        )
        last = step.stage
    console.print(heading, soft_wrap=True, highlight=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)
    for note in _notes(steps, basis):
        console.print(note, soft_wrap=plain, highlight=False)


def disk(steps: Sequence[Step]) -> str:
    """Return what the results of all steps take of the disk, and of which nothing tells."""
    needed = decimal(sum(step.disk or 0 for step in steps))
    unknown = ", ".join(dict.fromkeys(step.stage for step in steps if step.disk is None))
    return (
        f"{needed} in the workspace, and as much again in DVC's cache where the file system cannot share"
        " blocks" + (f" (not in it, because nothing tells yet: {unknown})" if unknown else "")
    )


def _notes(steps: Sequence[Step], basis: str) -> list[str]:
    notes = [
        f"disk: {disk(steps)}; {decimal(shutil.disk_usage('.').free)} are free.",
        f"~ is an estimate: {basis}; what follows from no count is taken to be as large as in the last run.",
    ]
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
