"""What the head hands out and what comes back: files that any host can read.

An order is a folder: `order.json`, the snapshots that its chains run on (`snapshots.bundle`), and `answers`,
where a unit leaves what its chain gave. It holds no credentials.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_result

WANTS_A_GPU = "GPU"  # in a stage's description in dvc.yaml


@dataclass(frozen=True)
class Chain:
    """What one unit runs.

    Attributes:
        name: of its first stage, after the name of its point where it has one.
        snapshot: the commit that it runs on.
        targets: its stages, in the order in which they run.
        points: whose locks get its entries: all those of the order that it is the same for.
        seconds: about how long it takes, by what was measured; 0 if nobody did.
    """

    name: str
    snapshot: str
    targets: tuple[str, ...]
    points: tuple[str, ...]
    seconds: float = 0.0

    @property
    def answer(self) -> str:
        """The name of the file that its unit leaves."""
        return f"{self.name.replace('/', '-')}.json"


@dataclass(frozen=True)
class Storage:
    """Where a project's objects are.

    Attributes:
        cache: the folder of DVC's cache; empty where each host has its own.
        remote: name of the DVC remote; empty where there is none, or units do not use it.
        url: its address.
    """

    cache: str
    remote: str = ""
    url: str = ""

    def connect(self, project: Path, cache: Path | None = None) -> None:
        """Tell the DVC of a new clone where objects are; `cache` is for hosts that have their own."""
        lines = ["[cache]", f"    dir = {self.cache or cache}"]
        if self.remote:
            lines += ["[core]", f"    remote = {self.remote}"]
            lines += [f"['remote \"{self.remote}\"']", f"    url = {self.url}"]
        (project / ".dvc/config.local").write_text("\n".join([*lines, ""]), encoding="utf-8")


@dataclass(frozen=True)
class Order:
    """All chains that a study or an experiment waits for.

    Attributes:
        project: the folder of dvc.yaml, seen from the repository's.
        storage: through which objects travel.
        chains: the longest first.
    """

    project: str
    storage: Storage
    chains: tuple[Chain, ...]


@dataclass(frozen=True)
class Maker:
    """What decides over the bytes of results: processor, GPU, and all packages that are installed."""

    cpu: str
    gpu: str
    packages: str


@dataclass(frozen=True)
class Answer:
    """What a unit returns.

    Attributes:
        snapshot: of its chain; an answer to another one is not used.
        entries: of the clone's dvc.lock, by stage.
        maker: where it was made.
        seconds: how long the unit took.
    """

    snapshot: str
    entries: dict[str, Any]
    maker: Maker
    seconds: float


def read_order(folder: Path) -> Order:
    """Read an order.

    Raises:
        UserError: if the folder holds none.
    """
    return read_result(folder / "order.json", Order)


def read_answer(folder: Path, chain: Chain) -> Answer | None:
    """Return what a chain gave; None where there is no answer yet."""
    file = folder / "answers" / chain.answer
    if not file.exists():
        return None
    answer = read_result(file, Answer)
    return answer if answer.snapshot == chain.snapshot else None


def missing(folder: Path) -> list[int]:
    """Return the numbers of an order's chains that have no answer yet."""
    return [
        number for number, chain in enumerate(read_order(folder).chains) if read_answer(folder, chain) is None
    ]


def lock_entries(project: Path) -> dict[str, Any]:
    """Return what a project's dvc.lock says, by stage."""
    from dvc.utils.serialize import load_yaml

    return dict(load_yaml(str(project / "dvc.lock"))["stages"])


def chains(project: Path) -> list[tuple[str, ...]]:
    """Return the stages of a project that want a GPU, in groups that do not wait for each other.

    Each is in the order in which its stages run.
    """
    import networkx

    with _repository(project) as repo:
        graph = repo.index.graph  # from each stage to those it reads from
        wanting = graph.subgraph([stage for stage in graph if _wants_a_gpu(stage)])
        position = {stage: number for number, stage in enumerate(repo.index.stages)}
        groups = [
            list(
                networkx.lexicographical_topological_sort(wanting.subgraph(group).reverse(), key=position.get)
            )
            for group in networkx.weakly_connected_components(wanting)
        ]
        groups.sort(key=lambda group: position[group[0]])
        return [tuple(stage.name for stage in group) for group in groups]


def prerequisites(project: Path, targets: Sequence[str] = ()) -> list[str]:
    """Return the stages that chains read from, and that belong to none.

    Args:
        project: its folder.
        targets: stages of the chain that is asked for; of all, where there are none.
    """
    with _repository(project) as repo:
        graph = repo.index.graph
        asking = [stage for stage in graph if _wants_a_gpu(stage) and (not targets or stage.name in targets)]
        read = {before for stage in asking for before in graph.successors(stage)}
        return [stage.name for stage in repo.index.stages if stage in read and not _wants_a_gpu(stage)]


def made_from(project: Path, targets: Sequence[str]) -> str:
    """Return the commands and params of stages and of all that they wait for, as text.

    Where this is the same for two points of a sweep, which share their code, so are the stages' results.
    """
    import networkx
    from dvc.dependency.param import ParamsDependency

    with _repository(project) as repo:
        graph = repo.index.graph
        wanted = [stage for stage in graph if getattr(stage, "name", None) in targets]
        involved = {*wanted}.union(*(networkx.descendants(graph, stage) for stage in wanted))
        reads = {
            stage.name: [it.read_params() for it in stage.deps if isinstance(it, ParamsDependency)]
            for stage in involved
        }
        return repr(sorted((stage.name, stage.cmd, reads[stage.name]) for stage in involved))


def _wants_a_gpu(stage: Any) -> bool:
    return WANTS_A_GPU in (stage.desc or "")


def _repository(project: Path) -> Any:
    from dvc.repo import Repo

    return Repo(str(project))


def tool(
    folder: Path, *command: str, environment: Mapping[str, str] | None = None, check: bool = True
) -> str:
    """Run git or DVC in a folder and return what it printed.

    Raises:
        UserError: if it fails, with the last line of what it said.
    """
    name, *arguments = command
    program = [sys.executable, "-m", "dvc"] if name == "dvc" else [name]
    done = subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=stages_environment() | dict(environment or {}),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode and check:
        said = [
            line for line in done.stderr.splitlines() if line.startswith(("ERROR", "error", "fatal"))
        ] or done.stderr.splitlines()
        raise UserError(f"{name} {' '.join(arguments[:2])}: {said[-1] if said else 'failed'} (in {folder})")
    return done.stdout


def stages_environment() -> dict[str, str]:
    """Return the environment in which a stage's `python` is this one."""
    return os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
