"""Keep dvc.yaml true to the code and to params.yaml: `make pipeline`.

What stages compute is written by hand; three kinds of lists in dvc.yaml follow from elsewhere and are
rewritten here, in place: the code a stage imports, the models, and the data sets.
"""

import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from deepfake_ensemble import params
from deepfake_ensemble.errors import UserError
from deepfake_ensemble.sources.origin import DataSet

SOURCE = Path("src")
PIPELINE = Path("dvc.yaml")
STAGES = SOURCE / "deepfake_ensemble/stages"
REGISTRY = SOURCE / "deepfake_ensemble/models/architecture.py"
ARCHITECTURES = SOURCE / "deepfake_ensemble/models/architectures"


def imported(module: Path) -> set[Path]:
    """Return the files of this project that a module imports, directly or not, and its own."""
    finder = ModuleFinder(path=[str(SOURCE)])
    finder.run_script(str(module))
    files = {Path(file).resolve() for found in finder.modules.values() if (file := _file(found))}
    root = Path.cwd()
    return {
        file.relative_to(root) for file in files | {module.resolve()} if file.is_relative_to(SOURCE.resolve())
    }


def _file(module: Any) -> str | None:
    return module.__file__  # ModuleFinder's own class; the library's type hints lack its attributes


def code_of(stage: str, model: str | None = None) -> set[Path]:
    """Return the code of a stage; of the architectures only `model`'s, which the registry imports by name."""
    files = imported(STAGES / f"{stage}.py")
    if REGISTRY in files and model is not None:
        files |= imported(ARCHITECTURES / f"{model}.py")
    return files


def rewired(text: str, models: Sequence[str], data_sets: Mapping[str, DataSet]) -> str:
    """Return dvc.yaml's text with the lists that follow from the code, the models and the data sets."""
    yaml = YAML()
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    pipeline = yaml.load(text)
    stages = pipeline["stages"]
    old_models = list(stages["train"]["matrix"]["model"])
    old_sets = list(stages["audit"]["matrix"]["data_set"])
    old_outside = [name for name in stages["evaluate"]["foreach"] if name != "internal"]
    outside = [name for name, data_set in data_sets.items() if "train" not in data_set.splits]
    replacements = [(old_models, list(models)), (old_sets, list(data_sets)), (old_outside, outside)]

    for name, stage in stages.items():
        for values in stage.get("matrix", {}).values():
            for old, new in replacements:
                if list(values) == old:
                    values[:] = new
        body = stage.get("do", stage)
        for key in ("deps", "outs", "metrics", "plots"):
            if key in body:
                body[key][:] = _expanded(body[key], replacements)
        model = models[0] if "model" in stage.get("matrix", {}) else None
        _replace_code(body, code_of(name, model), model)
    _refill(stages["pack"]["foreach"], {split: name for name, it in data_sets.items() for split in it.splits})
    across = {name: data_sets[name].splits[0] for name in outside}
    for stage, evaluations in (
        ("evaluate", {"internal": "test"} | across),
        ("compare", {"internal": "test"} | across),
        ("drop", across),
    ):
        _refill(stages[stage]["foreach"], evaluations)
    for plot in pipeline["plots"]:
        for settings in plot.values():
            _refill(settings["y"], dict(_expanded(list(settings["y"].items()), replacements[:1])))
    pipeline["plots"][:] = _plots(pipeline["plots"], old_outside, outside)

    out = io.StringIO()
    yaml.dump(pipeline, out)
    # The blank line after a list belongs to its last entry and goes with it.
    return re.sub(r"(?<=[^:\n]\n)(?=  \w+:\n|plots:\n)", "\n", out.getvalue())


def _refill(mapping: Any, new: Mapping[str, Any]) -> None:
    if dict(mapping) != new:
        mapping.clear()
        mapping.update(new)


def _expanded(entries: Iterable[Any], replacements: Iterable[tuple[list[str], list[str]]]) -> list[Any]:
    """Repeat each entry that stands there once for every old name, once for every new name."""
    entries = list(entries)
    for old, new in replacements:
        if old == new:
            continue
        forms = [_form(entry, old) for entry in entries]
        complete = {form for form, name in forms if {n for f, n in forms if f == form} == set(old)}
        expanded: list[Any] = []
        for entry, (form, name) in zip(entries, forms, strict=True):
            if form not in complete:
                expanded.append(entry)
            elif name == old[0]:
                expanded += [_renamed(entry, name, other) for other in new]
        entries = expanded
    # What names a data set that is trained on beside others is complete for both lists of data sets.
    return [entry for i, entry in enumerate(entries) if entry not in entries[:i]]


def _plots(plots: Sequence[Any], old: Sequence[str], new: Sequence[str]) -> list[Any]:
    """Repeat each plot that ends in the name of a data set across, once for every new one."""
    known = {name: plot for plot in plots for name in plot}
    expanded = []
    for name, plot in known.items():
        kind, _, across = name.rpartition("_")
        if across not in old:
            expanded.append(plot)
        elif across == old[0]:
            for other in new:
                expanded.append(known.get(f"{kind}_{other}") or _plot_of(plot[name], kind, across, other))
    return expanded


def _plot_of(settings: Any, kind: str, old: str, new: str) -> dict[str, Any]:
    y = {_renamed(file, old, new): column for file, column in settings["y"].items()}
    subject = settings["title"].rpartition(", ")[0]
    return {f"{kind}_{new}": dict(settings) | {"title": f"{subject}, {new}", "y": y}}


def _form(entry: Any, names: Sequence[str]) -> tuple[str, str | None]:
    """Return what an entry looks like without the name in it, and the name."""
    text = str(dict(entry)) if isinstance(entry, dict) else str(entry)
    for name in names:
        if re.search(_pattern(name), text):
            return re.sub(_pattern(name), "{}", text), name
    return text, None


def _renamed(entry: Any, old: str, new: str) -> Any:
    change: Callable[[str], str] = lambda text: re.sub(_pattern(old), new, text)  # noqa: E731
    if isinstance(entry, dict):
        return {change(key): value for key, value in entry.items()}
    if isinstance(entry, tuple):
        return (change(entry[0]), entry[1])
    return change(entry)


def _pattern(name: str) -> str:
    return rf"(?<![\w.$]){re.escape(name)}(?!\w)"


def _replace_code(body: Any, code: Iterable[Path], model: str | None) -> None:
    """Put the stage's code at the end of its `deps`, in place of the code that stands there."""
    own = str(ARCHITECTURES / f"{model}.py")
    listed = sorted(
        str(ARCHITECTURES / "${item.model}.py") if str(file) == own else str(file) for file in code
    )
    deps = body.setdefault("deps", [])
    kept = [dep for dep in deps if not str(dep).startswith(f"{SOURCE}/")]
    if list(deps) != kept + listed:
        deps[:] = kept + listed


def main() -> None:
    """Rewrite dvc.yaml, and say whether it changed."""
    before = PIPELINE.read_text(encoding="utf-8")
    after = rewired(
        before,
        list(params.read("models", dict[str, Any])),
        params.read("data_sets", dict[str, DataSet]),
    )
    PIPELINE.write_text(after, encoding="utf-8")
    print(f"{PIPELINE}: " + ("as it was" if after == before else "brought up to date"))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
