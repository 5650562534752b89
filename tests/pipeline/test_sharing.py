"""Results travel through git and a folder that is DVC's remote, from clone to clone, without a training.

The commands are taken from docs/sharing.md, and run from any state of either clone.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import markdown
import starts
from clones import ROOT, Clone, ran, restored
from starts import state, trained
from tiny_run import MODELS, NETWORKS, RATE, Experiment, Run

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

PAGE = (ROOT / "docs/sharing.md").read_text(encoding="utf-8")
REMOTE, SEND, FETCH, GET, RELEASE = map(str.splitlines, markdown.blocks(PAGE, "bash"))
(FROM_PYTHON,) = markdown.blocks(PAGE, "python")
TAKE, MORE, BACK = FETCH[:3], FETCH[3:-1], FETCH[-1:]
STORE, VERSION = "/mnt/drive/deepfake-ensemble", "v1.0.0"  # as the page has them


def as_shown(lines: Iterable[str], there: Clone, names: Mapping[str, object]) -> str:
    """Run commands of the page, with what it leaves open filled in, and return what they printed."""
    text = "\n".join(lines)
    for name, value in names.items():
        text = text.replace(name, str(value))
    return "".join(there.run("bash", "-ec", line) for line in text.splitlines())


@pytest.fixture(scope="module")
def server(
    whole_run: Run, lower_rate: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A git server to which the study, its experiment and three branches have been pushed.

    The branch `main` is the study, `lower-rate` has the experiment as its last commit, and `log-loss` another
    weighting. The folder that is DVC's remote holds what all of them need.
    """
    there, server = whole_run.clone, tmp_path_factory.mktemp("server") / "git"
    commit = there.git("rev-parse", "HEAD").strip()
    there.git("init", "--quiet", "--bare", "--initial-branch", "main", str(server))
    there.git("remote", "add", "origin", str(server))
    as_shown(REMOTE + SEND, there, {STORE: whole_run.store, "BRANCH": "main", "NAME": lower_rate.name})
    as_shown(RELEASE, there, {})

    there.dvc("exp", "branch", lower_rate.name, "lower-rate")
    there.git("push", "--quiet", "origin", "lower-rate")
    there.dvc("push", "--all-commits", "--run-cache")

    there.git("switch", "--quiet", "--create", "log-loss")
    there.dvc("exp", "run", "--set-param", "ensemble.weighting=log_loss", "report")
    there.commit("Weigh for the least log loss")
    there.git("push", "--quiet", "origin", "log-loss")
    there.git("switch", "--quiet", "main")
    there.restore()
    yield server
    there.git("reset", "--quiet", "--hard", commit)


def cloned(server: Path, branch: str, folder: Path) -> Clone:
    Clone(folder).git("clone", "--quiet", "--branch", branch, str(server), "clone")
    return Clone(folder / "clone")


@pytest.fixture
def another(server: Path, tmp_path: Path) -> Iterator[Callable[[str], Clone]]:
    """Clones a branch from the server, as on another machine."""
    yield lambda branch: cloned(server, branch, tmp_path)
    shutil.rmtree(tmp_path / "clone")


@dataclass(frozen=True)
class Sent:
    """What one machine has sent.

    Attributes:
        there: its clone.
        state: of its folder, before and after.
        experiment: the state of its folder in its experiment, which is sent too.
        server: to which it has pushed commits.
        taken_to: what a folder is like in which another machine takes all that.
    """

    there: Clone
    state: dict[str, Any]
    experiment: dict[str, Any]
    server: Path
    taken_to: Callable[[Clone], None]


@pytest.fixture(
    scope="module",
    params=zip(starts.ALL, (*starts.ALL[1:], starts.ALL[0]), strict=True),
    ids=lambda pair: "-to-".join(start.__name__ for start in pair),
)
def sent(
    request: pytest.FixtureRequest,
    server: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sent]:
    """Sent once from each state, to a server and a DVC remote that have nothing else of it."""
    begin, taken_to = request.param
    folder = tmp_path_factory.mktemp("sent")
    there = cloned(server, "main", folder)
    there.dvc("pull")
    shutil.copytree(server, folder / "git")
    there.git("remote", "set-url", "origin", str(folder / "git"))
    there.dvc("remote", "modify", "storage", "url", str(folder / "store"))
    there.commit("Another remote")
    begin(there)
    before = state(there)
    *send, send_experiment = SEND
    log = as_shown(send + RELEASE, there, {"BRANCH": "main", VERSION: "v2.0.0"})
    assert ran(log) == []
    assert state(there) == before
    there.dvc("exp", "run", "--name", "uniform", "--set-param", "ensemble.weighting=uniform", "report")
    as_shown([send_experiment], there, {"NAME": "uniform"})
    yield Sent(there, before, state(there), folder / "git", taken_to)
    shutil.rmtree(folder)  # gigabytes


def networks(log: str) -> list[str]:
    return [name for name in ran(log) if name.partition("@")[0] in NETWORKS]


def made_by_networks(lock: Any) -> dict[str, Any]:
    return {name: of["outs"] for name, of in lock["stages"].items() if name.partition("@")[0] in NETWORKS}


def test_a_fresh_clone_that_pulls_has_nothing_to_run_neither_then_nor_with_an_experiment(another, lower_rate):
    there = another("main")
    there.dvc("pull")
    assert ran(there.dvc("repro")) == []
    assert "up to date" in there.dvc("status")
    assert there.changed() == ""
    assert networks(as_shown(MORE, there, {"NAME": lower_rate.name})) == []
    assert there.yaml("params.yaml")["models"]["resnet50"]["learning_rate"] == 2e-5
    assert ran(there.dvc("repro")) == []


def sent_by_git(there: Clone, branch: str) -> bool:
    """Send the commit, as the page does, to a branch, and return whether it arrived."""
    as_shown(SEND[:2], there, {"BRANCH": branch})
    return there.git("ls-remote", "origin", branch).split()[:1] == there.git("rev-parse", "HEAD").split()


def test_what_was_sent_is_what_another_clone_takes_and_nothing_of_its_own_is_lost(sent, another):
    there = another("main")
    there.dvc("pull")
    sent.taken_to(there)
    there.git("remote", "set-url", "origin", str(sent.server))
    there.git("switch", "--quiet", "--create", "mine")
    before = state(there)
    log = as_shown(TAKE, there, {"BRANCH": "main"})
    assert state(there) == sent.state
    log += as_shown(MORE, there, {"NAME": "uniform"})  # and runs what was left out where it was sent
    assert state(there) == sent.experiment
    log += as_shown(BACK, there, {"MINE": "mine"})
    assert state(there) == before
    assert there.changed() == ""
    assert trained(log) == []
    assert sent_by_git(there, "back")
    as_shown(TAKE[:2], there, {"BRANCH": "main"})
    assert sent_by_git(there, "from-where-it-was-taken")


def test_the_page_has_these_commands():
    assert SEND[1].startswith("git push") and "dvc exp push" in SEND[-1]
    assert TAKE[-1].startswith("dvc pull ") and "dvc exp apply" in MORE[-1] and "git restore" in BACK[0]


def test_a_past_commits_models_come_back_with_its_params(another):
    there = another("lower-rate")
    (there / "main.lock").write_text(there.git("show", "origin/main:dvc.lock"), encoding="utf-8")
    there.set_params({RATE: 5.0e-5})
    log = there.dvc("repro", "--pull")
    assert networks(log) == ["costs"]  # counts layers; what it writes is in git, and so in no run cache
    assert "train@resnet50" in restored(log)
    # Not the whole lock: two stages read params.yaml as a file, in which a rate can be written in two ways.
    assert made_by_networks(there.yaml("dvc.lock")) == made_by_networks(there.yaml("main.lock"))


def test_metrics_and_params_are_compared_without_any_results_of_dvc(another):
    there = another("log-loss")
    figures = there.dvc("metrics", "diff", "HEAD~1")
    params = there.dvc("params", "diff", "HEAD~1")
    assert not (there / ".dvc/cache").exists()
    assert not (there / "models/cnn.keras").exists()
    rows = [line.split() for line in params.splitlines()]
    assert ["params.yaml", "ensemble.weighting", "accuracy", "log_loss"] in rows
    changed = [line.split()[:2] for line in figures.splitlines()]
    assert ["reports/metrics/internal.json", "ensemble.log_loss"] in changed
    assert ["reports/metrics/internal.json", "cnn.log_loss"] not in changed


def test_one_model_is_taken_from_another_repository(sent, tmp_path):
    there = Clone(tmp_path)
    there.git("init", "--quiet")
    there.dvc("init", "--quiet")
    as_shown(GET, there, {"URL": sent.server})
    for name in ("ensemble.onnx", "xception.keras", "ensemble.keras", "cnn.keras"):
        assert (there / name).read_bytes() == (sent.there / "models" / name).read_bytes()
    assert (there / "xception.keras.dvc").is_file()


def test_python_reads_metrics_params_and_a_model_of_another_repository(sent):
    found: dict[str, Any] = {}
    exec(FROM_PYTHON.replace("URL", str(sent.server)), found)
    assert found["rate"] == 5e-5
    assert found["model"] == (sent.there / "models/ensemble.onnx").read_bytes()
    assert found["metrics"]["reports/metrics/internal.json:ensemble"].keys() == {
        "accuracy",
        "f1",
        "auc",
        "log_loss",
    }


def test_every_member_of_the_ensemble_is_an_artifact(whole_run):
    named = whole_run.clone.yaml("models/dvc.yaml")["artifacts"].values()
    assert [it["path"] for it in named] == [f"{model}.keras" for model in MODELS]
