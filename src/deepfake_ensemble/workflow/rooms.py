"""Which stages an edit in each folder of the package reruns, for CONTRIBUTING.md: read from both dvc.yaml."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PACKAGE = Path("src/deepfake_ensemble")
STUDIES = {"first study": Path("dvc.yaml"), "second study": Path("residual/dvc.yaml")}


def rooms() -> str:
    """Return the table of the package's folders: what they hold, and what an edit of them reruns."""
    stages = {study: yaml.safe_load(file.read_text("utf-8"))["stages"] for study, file in STUDIES.items()}
    header = ["folder", "what it holds", *(f"reruns, {study}" for study in STUDIES)]
    rows = [header, ["---"] * len(header)]
    for folder in sorted(file.parent for file in PACKAGE.rglob("__init__.py")):
        if folder in (PACKAGE, folder.parent / "stages") or not any(
            file.name != "__init__.py" for file in folder.glob("*.py")
        ):
            continue  # a stage's file reruns that stage; a folder of folders has a row for each
        about = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
        reruns = [readers(folder, of) for of in stages.values()]
        rows.append([f"`{folder.relative_to(PACKAGE)}`", about.split("\n", 1)[0], *reruns])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def readers(folder: Path, stages: Mapping[str, Any]) -> str:
    """Return which stages depend on a folder, or on files in it, which are then named.

    Args:
        folder: of the package, seen from the root.
        stages: the section `stages` of a dvc.yaml.
    """
    found = {}
    for stage, of in stages.items():
        deps = [Path(dep) for dep in of.get("do", of).get("deps", ())]
        files = [
            "its own" if "$" in dep.name else dep.name for dep in deps if dep.parent == folder and dep.suffix
        ]
        if any(folder.is_relative_to(dep) for dep in deps):
            found[stage] = f"`{stage}`"
        elif files:
            found[stage] = f"`{stage}` ({', '.join(files)})"
    if len(found) == len(stages):
        return "all stages"
    return ", ".join(found.values()) or "–"
