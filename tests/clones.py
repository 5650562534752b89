"""Clones of this project as it stands in the working tree, in which tests run and change what they like."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]

# The tests' own python first, and no settings of whoever runs them.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_NAME": "A tester" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "tester@example.org" for who in ("AUTHOR", "COMMITTER")},
}


@dataclass(frozen=True)
class Clone:
    """A clone of the project; each method runs in its folder."""

    folder: Path

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command to its end and return what it wrote to both of its outputs; it must succeed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**ENVIRONMENT, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, (
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-6000:]}"
        )
        return done.stdout

    def dvc(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run DVC."""
        return self.run("dvc", *arguments, environment=environment)

    def git(self, *arguments: str) -> str:
        """Run git."""
        return self.run("git", *arguments)

    def commit(self, message: str) -> None:
        """Commit everything that is not ignored."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def changed(self) -> str:
        """Return what git finds changed, added or removed since the last commit."""
        return self.git("status", "--porcelain")

    def restore(self) -> None:
        """Go back to the last commit and its results."""
        self.git("reset", "--quiet", "--hard")
        self.git("clean", "--quiet", "--force", "-d")
        self.dvc("checkout", "--quiet", "--force")

    def yaml(self, file: str) -> Any:
        """Read a YAML file as DVC does."""
        return YAML(typ="safe").load((self / file).read_text(encoding="utf-8"))

    def set_params(self, changes: Mapping[str, Any]) -> None:
        """Change or add values of params.yaml by their dotted keys; comments stay, as with an editor."""
        yaml = YAML()
        yaml.width = 1000
        params = yaml.load((self / "params.yaml").read_text(encoding="utf-8"))
        for path, value in changes.items():
            *parents, key = path.split(".")
            section = params
            for parent in parents:
                section = section[parent]
            section[key] = value
        with (self / "params.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(params, file)


def clone(folder: Path, source: Path = ROOT) -> Clone:
    """Clone a repository into `folder`, with the changes in its working tree that are not committed yet."""
    here, there = Clone(source), Clone(folder)
    here.git("clone", "--quiet", "--no-hardlinks", str(source), str(folder))
    listed = {path for path in here.git("ls-files", "-z", "-co", "--exclude-standard").split("\0") if path}
    for path in set(there.git("ls-files", "-z").split("\0")) - {""} | listed:
        if path in listed and (source / path).is_symlink():
            continue  # a link to a folder is in git, and never changed
        if path in listed and (source / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, folder / path)
        else:
            (folder / path).unlink(missing_ok=True)
    if there.changed():
        there.commit("What is not committed yet")
    return there


def ran(log: str) -> list[str]:
    """Return the stages whose commands DVC ran, in order, according to what it printed."""
    return re.findall(r"^Running stage '([^']+)'", log, flags=re.MULTILINE)


def restored(log: str) -> list[str]:
    """Return the stages whose results DVC took from its run cache."""
    return re.findall(r"^Stage '([^']+)' is cached - skipping run", log, flags=re.MULTILINE)


def of(stage: str, names: Iterable[str]) -> list[str]:
    """Return those of `names` that are items of a stage."""
    return [name for name in names if name.partition("@")[0] == stage]
