"""Keep dvc.yaml true to the code and to params.yaml: `make pipeline`.

What stages compute is written by hand; three kinds of lists in dvc.yaml follow from elsewhere and are
rewritten here, in place: the code a stage imports, the models, and the data sets.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import yaml

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.evaluation.settings import INTERNAL, split_of
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_file

SOURCE = Path("src")
PIPELINE = Path("dvc.yaml")
STAGES = SOURCE / "deepfake_ensemble/stages"
REGISTRY = SOURCE / "deepfake_ensemble/models/architecture.py"
ARCHITECTURES = SOURCE / "deepfake_ensemble/architectures"

Lines = list[str]
Names = tuple[Sequence[str], Sequence[str]]  # those that dvc.yaml has, and those that it shall have


def imported(module: Path) -> set[Path]:
    """Return the files of this project that a module imports, directly or not, and its own.

    Those that hold a docstring alone are left out: no result depends on them, and for every dep DVC writes
    several lines into dvc.lock after each stage.
    """
    finder = ModuleFinder(path=[str(SOURCE)])
    finder.run_script(str(module))
    files = {Path(file).resolve() for found in finder.modules.values() if (file := _file(found))}
    root = Path.cwd()
    return {
        file.relative_to(root)
        for file in files | {module.resolve()}
        if file.is_relative_to(SOURCE.resolve()) and _has_code(file)
    }


def _has_code(file: Path) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def _file(module: Any) -> str | None:
    return module.__file__  # ModuleFinder's own class; the library's type hints lack its attributes


def folded(code: Iterable[Path]) -> set[Path]:
    """Return `code` with a package's folder in place of its modules, where they are all there.

    A folder stands for all modules in it and below, those with a docstring alone, as most `__init__.py` are,
    included. DVC writes dvc.lock anew after each stage, and takes the longer the more deps there are in it.
    """
    files = set(code)
    # A package comes before those in it: with one of their folders in place of its modules, they would not
    # all be there.
    for folder in sorted({file.parent for file in files}):
        modules = {module for module in folder.rglob("*.py") if _has_code(module)}
        if len(modules) > 1 and modules <= files:
            files = files - modules | {folder}
    return files


def code_of(stage: str, model: str | None = None) -> set[Path]:
    """Return the code of a stage; of the architectures only `model`'s, which the registry imports by name."""
    files = imported(STAGES / f"{stage}.py")
    if REGISTRY in files and model is not None:
        return files | imported(ARCHITECTURES / f"{model}.py")
    return files


def rewired(text: str, models: Sequence[str], data_sets: Mapping[str, DataSet]) -> str:
    """Return dvc.yaml's text with the lists that follow from the code, the models and the data sets.

    It is edited line by line: a library for YAML loses comments where a list changes.

    Raises:
        UserError: if a stage lists no deps yet, or all data sets are trained on.
    """
    pipeline = yaml.safe_load(text)
    stages = pipeline["stages"]
    outside = {name: name for name in data_sets if name != INTERNAL}
    splits = dict.fromkeys(("train", "val", "test"), INTERNAL) | outside
    evaluations = stages["evaluate"]["foreach"]
    old_outside = {name: split for name, split in evaluations.items() if name != INTERNAL}
    if not outside:
        raise UserError(f"{params.FILE}: data_sets: none is left to evaluate on across data sets; add one")

    of_models: Names = (stages["train"]["matrix"]["model"], models)
    of_sets: Names = (stages["audit"]["matrix"]["data_set"], list(data_sets))
    across: Names = (list(old_outside), list(outside))
    loops = [
        (stages["pack"]["foreach"], splits),
        (evaluations, {INTERNAL: split_of(INTERNAL)} | outside),
    ]

    lines = text.splitlines(keepends=True)
    for name, stage in stages.items():
        here, body = ["stages", name], stage.get("do", stage)
        inside = [*here, "do"] if "do" in stage else here
        if not body.get("deps"):
            raise UserError(f"{PIPELINE}: stages.{name}: lists no deps; begin with {STAGES}/{name}.py")
        names = {"model": models, "data_set": list(data_sets)}
        lines = _within(lines, [*here, "matrix"], partial(_matrix, names=names))
        for old, new in loops:
            if stage.get("foreach") == old:
                lines = _within(lines, [*here, "foreach"], partial(_refilled, new=new))
        for key in ("deps", "outs", "metrics", "plots"):
            lines = _within(lines, [*inside, key], partial(_expanded, lists=[of_models]))
            lines = _within(lines, [*inside, key], partial(_expanded, lists=[of_sets, across]))
        model = models[0] if "model" in stage.get("matrix", {}) else None
        code = _listed(code_of(name, model), model)
        lines = _within(lines, [*inside, "deps"], partial(_with_code, code=code))
    for plot in pipeline["plots"]:
        lines = _within(lines, ["plots", *plot, "y"], partial(_expanded, lists=[of_models]))
    of_plots = partial(_expanded, lists=[across], form=_kind_of_plot, renamed=_plot_of)
    return "".join(_within(lines, ["plots"], of_plots))


# Lines of YAML in block style


def _within(lines: Lines, path: Sequence[str], change: Callable[[Lines], Lines]) -> Lines:
    """Return `lines` with `change` made to those that stand under a path of keys."""
    changed: Lines = []
    for entry in _entries(lines):
        if _name(entry) == path[0]:
            head = next(i for i, line in enumerate(entry) if not _is_remark(line)) + 1
            body = entry[head:]
            changed += entry[:head] + (_within(body, path[1:], change) if path[1:] else change(body))
        else:
            changed += entry
    return changed


def _entries(lines: Lines) -> list[Lines]:
    """Cut the lines of a mapping or list into its entries, each with the comments and blank lines above it.

    Comments and blank lines below the last entry come as one more.
    """
    depth = min((_depth(line) for line in lines if not _is_remark(line)), default=0)
    entries: list[Lines] = []
    remarks: Lines = []
    for line in lines:
        if _is_remark(line):
            remarks.append(line)
            continue
        if _depth(line) == depth:
            entries.append([])
        entries[-1] += [*remarks, line]
        remarks = []
    return [*entries, remarks] if remarks else entries


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _content(entry: Lines) -> Lines:
    return [re.sub(r"\s+#.*", "", line) for line in entry if not _is_remark(line)]


def _name(entry: Lines) -> str:
    """Return what an entry's first line has: its key, or what a list has there."""
    first = next((line for line in entry if not _is_remark(line)), "")
    return "".join(_content([first])).strip().removeprefix("- ").partition(":")[0]


# What is done to them


def _matrix(lines: Lines, names: Mapping[str, Sequence[str]]) -> Lines:
    """Put names into the lists of a matrix, by its keys."""
    listed = {key: f"[{', '.join(new)}]" for key, new in names.items()}
    return [re.sub(r"\[.*?\]", listed.get(_name([line]), r"\g<0>"), line) for line in lines]


def _refilled(lines: Lines, new: Mapping[str, str]) -> Lines:
    """Make a mapping hold what `new` does."""
    there = {"".join(_content(entry)).strip(): entry for entry in _entries(lines)}
    indent = " " * _depth(lines[0])
    wanted = [f"{key}: {value}" for key, value in new.items()]
    return [line for it in wanted for line in there.get(it, [f"{indent}{it}\n"])]


def _with_code(lines: Lines, code: Iterable[str]) -> Lines:
    """Put a stage's code at the end of its deps, in place of the code that stands there."""
    there = {_name(entry): entry for entry in _entries(lines)}
    indent = " " * min(_depth(line) for line in lines if not _is_remark(line))
    kept = [line for dep, entry in there.items() if not dep.startswith(f"{SOURCE}/") for line in entry]
    return kept + [line for dep in code for line in there.get(dep, [f"{indent}- {dep}\n"])]


def _listed(code: Iterable[Path], model: str | None) -> list[str]:
    own = ARCHITECTURES / f"{model}.py"
    return sorted(str(ARCHITECTURES / "${item.model}.py" if file == own else file) for file in folded(code))


def _form(entry: Lines, names: Sequence[str]) -> tuple[str, str | None]:
    """Return what an entry looks like without the name in it, and the name."""
    text = "".join(_content(entry))
    name = next((name for name in names if re.search(_pattern(name), text)), None)
    return (text, None) if name is None else (re.sub(_pattern(name), "{}", text), name)


def _renamed(entry: Lines, old: str, new: str) -> Lines:
    return [re.sub(_pattern(old), new, line) for line in _content(entry)]


def _pattern(name: str) -> str:
    return rf"(?<![\w.$]){re.escape(name)}(?!\w)"


def _kind_of_plot(entry: Lines, names: Sequence[str]) -> tuple[str, str | None]:
    """Return the kind of a plot and the data set in whose name its own ends."""
    plot = _name(entry)
    ends = [name for name in names if plot.endswith(f"_{name}")]
    name = max(ends, key=len, default=None)
    return (plot, None) if name is None else (plot.removesuffix(f"_{name}"), name)


def _plot_of(entry: Lines, old: str, new: str) -> Lines:
    first, *rest = _renamed(entry, old, new)
    rest = [re.sub(r"(?<=title: )(.*, ).*", rf"\g<1>{new}", line) for line in rest]
    return [first.replace(f"_{old}:", f"_{new}:"), *rest]


def _expanded(
    lines: Lines,
    lists: Sequence[Names],
    form: Callable[[Lines, Sequence[str]], tuple[str, str | None]] = _form,
    renamed: Callable[[Lines, str, str], Lines] = _renamed,
) -> Lines:
    """Where there is an entry for every old name, have one for every new name.

    Args:
        lines: of a mapping or a list.
        lists: of names; where some are in more than one, all the names of an entry's like tell which it is.
        form: what an entry looks like without its name, and the name.
        renamed: an entry for another name.
    """
    names = [name for old, _ in lists for name in old]
    entries = [(entry, *form(entry, names)) for entry in _entries(lines)]
    alike: dict[str, dict[str, Lines]] = defaultdict(dict)
    for entry, like, name in entries:
        if name is not None:
            alike[like][name] = entry
    expanded: Lines = []
    for entry, like, name in entries:
        there = alike[like]
        new = next((new for old, new in lists if set(old) == set(there) and list(old) != list(new)), None)
        if name is None or new is None:
            expanded += entry
        elif entry is next(iter(there.values())):
            for other in new:
                expanded += there.get(other) or renamed(entry, name, other)
    return expanded


def main() -> None:
    """Rewrite dvc.yaml, and say whether it changed."""
    before = PIPELINE.read_text(encoding="utf-8")
    after = rewired(
        before,
        list(params.read("models", dict[str, Any])),
        params.read("data_sets", dict[str, DataSet]),
    )
    with replacing_file(PIPELINE) as partial:
        partial.write_text(after, encoding="utf-8")
    print(f"{PIPELINE}: " + ("as it was" if after == before else "brought up to date"))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
