"""Run a study with its chains elsewhere: `make cluster`; and several variations of it at once.

The head prepares what chains read, takes a snapshot of the tree as it is, hands the chains out, takes the
entries of dvc.lock that come back, and runs the stages that join them. It trains nothing. Killed, it is run
again by the same
command: answers that came are kept.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from deepfake_ensemble.cluster import orders, snapshots
from deepfake_ensemble.cluster.orders import Answer, Chain, Maker, Order, Storage, missing, read_answer, tool
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError, first_line
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.workflow.repro import Pace, measured_seconds

FOLDER = Path(".dvc/tmp/cluster")

Engine = Callable[[Path, Sequence[int]], list[str]]
"""Runs chains of an order, by number, so that it gets their answers; returns a line for each that failed."""


@dataclass(frozen=True)
class Point:
    """One variation of the study, which becomes a DVC experiment of that name.

    Attributes:
        name: of the experiment.
        changes: of params.yaml, as `dvc exp run --set-param` takes them.
    """

    name: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Handing:
    """How chains are handed out.

    Attributes:
        engine: what runs them.
        remote: whether objects travel through DVC's remote, instead of a cache that all units share.
        mixed: whether results of several models of processors or GPUs are taken into one study.
    """

    engine: Engine
    remote: bool = False
    mixed: bool = False


def study(handing: Handing) -> None:
    """Bring the working folder's study up to date, as `dvc repro` does.

    Raises:
        UserError: if a chain fails, or its results cannot be taken.
    """
    _complete({"": Path.cwd()}, handing, FOLDER / "study")


def experiments(points: Sequence[Point], handing: Handing) -> None:
    """Run variations of the working folder's study, and keep each as a DVC experiment of the last commit.

    The folder stays as it is. What is the same for several points is run once. An experiment of the same name
    is replaced.

    Raises:
        UserError: if a chain fails, or its results cannot be taken.
    """
    folder = FOLDER / hashlib.sha256(repr(points).encode()).hexdigest()[:12]
    here = snapshots.take(Path.cwd(), folder / "store")
    folders = {point.name: _varied(point, here, folder) for point in points}
    _complete(folders, handing, folder)
    for name, project in folders.items():
        tool(project, "dvc", "exp", "save", "--quiet", "--force", "--name", name)
        tool(Path.cwd(), "dvc", "exp", "remove", "--quiet", name, check=False)
        tool(Path.cwd(), "dvc", "exp", "pull", "--quiet", "--no-cache", str(_top(project)), name)
    shutil.rmtree(folder)


def _top(project: Path) -> Path:
    return Path(tool(project, "git", "rev-parse", "--show-toplevel").strip())


def _varied(point: Point, snapshot: str, folder: Path) -> Path:
    """Return the project's folder in a clone with the tree as it is here, changed as the point says."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    top = _top(Path.cwd())
    clone = (folder / "points" / point.name).resolve()
    shutil.rmtree(clone, ignore_errors=True)
    tool(top, "git", "clone", "--quiet", "--shared", "--no-checkout", str(top), str(clone))
    tool(clone, "git", "fetch", "--quiet", str((folder / "store").resolve()), snapshot)
    tool(clone, "git", "read-tree", "--reset", "-u", snapshot)
    project = clone / Path.cwd().relative_to(top)
    _storage().connect(project)
    try:
        apply_overrides(project / params.FILE, list(point.changes))
    except DvcException as error:
        cause = first_line(error.__cause__ or error)
        raise UserError(f"{point.name}: {', '.join(point.changes)}: {cause}; see params.yaml") from None
    return project


def _storage() -> Storage:
    """Return where the working folder's objects are."""
    from dvc.repo import Repo

    with Repo() as repo:
        cache = str(Path(repo.cache.local.path).parent.parent)
        remote = repo.config["core"].get("remote", "")
        return Storage(cache, remote, repo.config["remote"][remote]["url"] if remote else "")


def _complete(folders: Mapping[str, Path], handing: Handing, folder: Path) -> None:
    """Bring projects up to date, by the name of their point, with their chains run elsewhere."""
    storage = _storage()
    if handing.remote and not storage.remote:
        raise UserError("cluster: there is no DVC remote to send objects through; see docs/sharing.md")
    for name, project in folders.items():
        print(f"cluster: {name or 'the study'}: what chains read", flush=True)
        targets = orders.prerequisites(project)
        _reproduce(project, handing, *targets)
        if handing.remote:
            tool(project, "dvc", "push", "--quiet", *targets)
    order = Order(
        str(Path.cwd().relative_to(_top(Path.cwd()))),
        replace(storage, cache="") if handing.remote else Storage(storage.cache),
        _chains(folders, folder / "store"),
    )
    if order.chains:
        write_json(folder / "order.json", order)
        snapshots.bundle(folder / "store", folder)
    waiting = missing(folder) if order.chains else []
    print(f"cluster: {len(order.chains)} chains, {len(waiting)} of them to run", flush=True)
    failed = handing.engine(folder, waiting) if waiting else []
    if failed:
        raise UserError("; ".join([*failed, "what the other chains gave is kept for the next time"]))
    answers = {chain: answer for chain in order.chains if (answer := read_answer(folder, chain))}
    if not handing.mixed:
        refuse_mixed({chain.name: answer.maker for chain, answer in answers.items()})
    for name, project in folders.items():
        _join(project, [chain for chain in answers if name in chain.points], answers, handing)
    if "" in folders:
        shutil.rmtree(folder)


def _chains(folders: Mapping[str, Path], store: Path) -> tuple[Chain, ...]:
    """Return the chains of all points that are not up to date, the longest first, each once."""
    pace = Pace(measured_seconds(str(params.load().get("profile"))))
    alike: dict[str, Chain] = {}
    for point, project in folders.items():
        snapshot, stale = snapshots.take(project, store), _stale(project)
        for targets in orders.chains(project):
            if not stale.intersection(targets):
                continue
            same = orders.made_from(project, targets)
            chain = alike.get(same) or Chain(
                "-".join(filter(None, [point, targets[0]])),
                snapshot,
                targets,
                (),
                sum(pace.expected(target) or 0 for target in targets),
            )
            alike[same] = replace(chain, points=(*chain.points, point))
    return tuple(sorted(alike.values(), key=lambda chain: -chain.seconds))


def _stale(project: Path, *targets: str) -> set[str]:
    """Return the names of stages that `dvc repro` would run."""
    return set(json.loads(tool(project, "dvc", "status", "--json", *targets)))


def refuse_mixed(makers: Mapping[str, Maker]) -> None:
    """Raise a `UserError` where chains ran on several kinds of machines, or with several sets of packages."""
    for (first, one), (name, other) in pairwise(makers.items()):
        if other != one:
            raise UserError(
                f"cluster: {first} was run on {_told(one)}, {name} on {_told(other)}: a study's bytes are to"
                " come from one kind of machine; run the same command with --mixed to take them as they are"
            )


def _told(maker: Maker) -> str:
    return f"{maker.cpu}, GPU {maker.gpu}, packages {maker.packages[:12]}"


def _join(project: Path, chains: Sequence[Chain], answers: Mapping[Chain, Answer], handing: Handing) -> None:
    """Take the results of chains into a project, and run the stages that join them."""
    from dvc.utils.serialize import modify_yaml

    # Before anything else looks for them: of two results that the run cache has of one stage, DVC takes the
    # newest.
    with modify_yaml(str(project / "dvc.lock")) as lock:
        for chain in chains:
            lock["stages"].update(answers[chain].entries)
    targets = [target for chain in chains for target in chain.targets]
    if targets:
        bring = ["pull", "--run-cache"] if handing.remote else ["checkout"]
        tool(project, "dvc", *bring, "--quiet", "--force", *targets)
        stale = sorted(_stale(project, *targets))
        if stale:
            raise UserError(
                f"cluster: {', '.join(stale)}: what came back is not made from what is here; was an input"
                " changed while the chains ran? Run the same command again"
            )
    _reproduce(project, handing)


def _reproduce(project: Path, handing: Handing, *targets: str) -> None:
    command = ["repro", *(["--pull"] if handing.remote else []), *targets]
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command], cwd=project, env=orders.stages_environment(), check=False
    )
    if done.returncode:
        raise UserError(f"cluster: dvc {' '.join(command)} failed in {project}, see above")
