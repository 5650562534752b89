"""What is said of the commit that something was measured at."""

import subprocess
from pathlib import Path

import pytest

from deepfake_ensemble.workflow.machine import commit


def git(*arguments: str) -> str:
    own = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *own, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "study/reports").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    for file in ("code.py", "study/params.yaml", "study/reports/metrics.json"):
        (tmp_path / file).write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "All")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path


def test_it_is_the_one_that_is_checked_out(repository: Path) -> None:
    assert commit() == git("rev-parse", "HEAD")
    assert commit(digits=12) == git("rev-parse", "HEAD")[:12]


def test_changes_are_told_wherever_they_are(repository: Path) -> None:
    (repository / "code.py").write_text("2\n")
    assert commit(("params.yaml", "reports")) == f"{git('rev-parse', 'HEAD')}, with changes"


def test_results_and_files_that_git_does_not_know_are_none(repository: Path) -> None:
    for file in ("params.yaml", "reports/metrics.json", "new.txt"):
        (repository / "study" / file).write_text("2\n")
    assert commit(("params.yaml", "reports")) == git("rev-parse", "HEAD")
    assert commit(("reports",)) != git("rev-parse", "HEAD")


def test_another_repository_can_be_asked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_it = git("rev-parse", "HEAD")
    (repository / "study/params.yaml").write_text("2\n")
    monkeypatch.chdir(repository.parent)
    asked = repository / "study"
    assert commit(("params.yaml",), folder=asked) == of_it
    assert commit(folder=asked) == f"{of_it}, with changes"


def test_outside_git_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() is None
