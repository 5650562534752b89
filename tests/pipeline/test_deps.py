"""dvc.yaml says of each stage exactly what it is made from: the code it imports and the params it reads."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from dvc.stage import PipelineStage

from clones import ROOT
from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import params
from deepfake_ensemble.workflow import wiring
from modules import has_code, modules_at

SOURCE = ROOT / "src"
PACKAGE = "deepfake_ensemble"
REGISTRY = f"{PACKAGE}.architectures"
ON_A_GPU = ("train", "predict")
RANDOM = ("initialise", "train")

# Read, and without any influence on what is made.
WITHOUT_INFLUENCE = {("train", "resume.save_minutes"), ("train", "decoded.memory_gib")}

# Read for the names in them alone, which dvc.yaml spells out as lists of models, splits and files.
READ_FOR_NAMES = {
    ("curves", "models"),
    ("weigh", "models"),
    ("predict", "data_sets"),
    ("explain", "data_sets"),
}


@pytest.fixture(scope="module")
def stages() -> dict[str, PipelineStage]:
    """The stages as DVC resolves them: each item of a matrix by its own name."""
    with Repo(str(ROOT)) as repo:
        return {stage.addressing: stage for stage in repo.index.stages if isinstance(stage, PipelineStage)}


def the_items() -> list[str]:
    with Repo(str(ROOT)) as repo:
        return [stage.addressing for stage in repo.index.stages]


each_item = pytest.mark.parametrize("name", the_items())


# What a module imports, by its syntax tree. The names are those that `import` statements give.


def test_the_walk_below_knows_every_way_in_which_this_project_imports():
    dynamic = {
        str(file.relative_to(SOURCE / PACKAGE)): ast.unparse(call)
        for file in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and re.search(r"\b(import_module|__import__|exec|eval|runpy)\b", ast.unparse(call.func))
    }
    assert list(dynamic) == ["models/architecture.py"]
    assert "architectures.__name__" in dynamic["models/architecture.py"]


def closure(module: str, seen: set[str] | None = None) -> set[str]:
    """Return the modules of this project that importing `module` imports, now or when its functions run."""
    seen = set() if seen is None else seen
    for name in with_packages(module):
        if name not in seen:
            seen.add(name)
            for other in imports(name):
                closure(other, seen)
    return seen


def with_packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[: i + 1]) for i in range(len(parts)))


@cache
def imports(module: str) -> set[str]:
    found = set()
    for statement in statements(ast.parse(file_of(module).read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{module}: a relative import, which this test does not follow"
            origin = statement.module or ""
            submodules = {f"{origin}.{alias.name}" for alias in statement.names}
            found |= {origin} | {name for name in submodules if ours(name) and exists(name)}
    return {name for name in found if ours(name)}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, but not into what is there for type checkers only."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield from statements(child)


def ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


def exists(module: str) -> bool:
    path = SOURCE / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def file_of(module: str) -> Path:
    path = SOURCE / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def parts_of(name: str) -> tuple[str, str | None]:
    stage, _, item = name.partition("@")
    return stage, item or None


def models() -> list[str]:
    return list(params.read("models", dict[str, Any], ROOT / "params.yaml"))


@each_item
def test_the_code_among_a_stages_deps_is_the_code_it_imports(stages, name):
    stage, item = parts_of(name)
    imported = closure(f"{PACKAGE}.stages.{stage}")
    if f"{PACKAGE}.models.architecture" in imported and item in models():
        imported |= closure(f"{REGISTRY}.{item}")
    listed = [dep.def_path for dep in stages[name].deps if dep.def_path.startswith("src/")]
    assert sorted(str(file) for path in listed for file in modules_at(ROOT / path)) == sorted(
        str(file_of(module)) for module in imported if has_code(file_of(module))
    )


def test_a_model_does_not_depend_on_the_file_of_another(stages):
    files = {path.stem for path in file_of(REGISTRY).parent.glob("[!_]*.py")}
    assert set(models()) <= files
    for model in models():
        for stage in ("initialise", "train"):
            deps = {dep.def_path for dep in stages[f"{stage}@{model}"].deps}
            folder = "src/deepfake_ensemble/architectures/"
            assert {other for other in files if f"{folder}{other}.py" in deps} == {model}


def test_bringing_dvc_yaml_up_to_date_would_change_nothing(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = Path("dvc.yaml").read_text(encoding="utf-8")
    assert wiring.rewired(text, models(), params.read("data_sets", dict[str, DataSet])) == text


@each_item
def test_a_stage_depends_on_the_versions_of_what_computes_if_it_runs_tensorflow(stages, name):
    deps = {dep.def_path for dep in stages[name].deps}
    runs_networks = f"{PACKAGE}.models.session" in closure(f"{PACKAGE}.stages.{parts_of(name)[0]}")
    assert ("requirements/compute.txt" in deps) == runs_networks


# What a stage reads of params.yaml, by its syntax tree as well.


def test_params_are_read_by_stages_alone():
    readers = {
        module
        for file in (SOURCE / PACKAGE).rglob("*.py")
        if f"{PACKAGE}.foundation.params"
        in imports(module := ".".join(file.relative_to(SOURCE).with_suffix("").parts))
    }
    places = [module.split(".")[1:] for module in readers]
    assert {(place[1:] if place[0] == "residual" else place)[0] for place in places} <= {
        "stages",
        "pipeline",
        "foundation",
    }


def keys_read(stage: str, profile: str, arguments: dict[str, str]) -> set[str]:
    """Return the keys that a stage's module reads; of a section that it keeps, those it then uses."""
    tree = ast.parse((SOURCE / PACKAGE / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    keys = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        if ast.unparse(call.func) == "command.pin_processor":
            keys.add(f"{profile}.processor")
        if ast.unparse(call.func) != "params.read":
            continue
        key = spelt_out(call.args[0], profile, arguments)
        fields = fields_used(call, parents, tree)
        keys |= {f"{key}.{field}" for field in fields} if fields else {key}
    return keys


def spelt_out(key: ast.expr, profile: str, arguments: dict[str, str]) -> str:
    values = {"profile": profile, "params.active_profile()": profile, **arguments}
    return "".join(
        values[ast.unparse(part.value)] if isinstance(part, ast.FormattedValue) else ast.literal_eval(part)
        for part in (key.values if isinstance(key, ast.JoinedStr) else [key])
    )


def fields_used(call: ast.Call, parents: dict[ast.AST, ast.AST], tree: ast.AST) -> set[str]:
    """Return the fields that are used of what a call returns; none if it is used as a whole."""
    parent = parents[call]
    if isinstance(parent, ast.Attribute):
        is_method = isinstance(parents[parent], ast.Call) and parents[parent].func is parent  # type: ignore[attr-defined]
        return set() if is_method else {parent.attr}
    if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
        return set()
    variable = parent.targets[0].id
    uses = [
        parents[name]
        for name in ast.walk(tree)
        if isinstance(name, ast.Name) and name.id == variable and isinstance(name.ctx, ast.Load)
    ]
    assert uses, f"{variable} is read and not used"
    return {use.attr for use in uses} if all(isinstance(use, ast.Attribute) for use in uses) else set()  # type: ignore[attr-defined]


def arguments_of(command: str, stage: str) -> dict[str, str]:
    """Return the arguments of a stage's `main` by their names, from the stage's command."""
    values = command.partition(f"{PACKAGE}.stages.{stage}")[2].split()
    tree = ast.parse((SOURCE / PACKAGE / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    return dict(zip([argument.arg for argument in main.args.args], values, strict=True))


def within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


@each_item
def test_the_params_of_a_stage_are_those_it_reads(stages, name):
    stage, _ = parts_of(name)
    profile = params.active_profile(ROOT / "params.yaml")
    read = keys_read(stage, profile, arguments_of(stages[name].cmd, stage))
    tracked = {key for dep in stages[name].params for key in dep.params}
    for key in read:
        if (stage, key) not in READ_FOR_NAMES | WITHOUT_INFLUENCE:
            assert any(within(key, section) for section in tracked), f"{key} is read and not tracked"
    for section in tracked:
        assert any(within(key, section) for key in read), f"{section} is tracked and not read"


# How results are kept.


@each_item
def test_every_stage_says_what_it_does(stages, name):
    assert stages[name].desc and stages[name].desc.endswith(".")


@each_item
def test_what_needs_a_gpu_is_kept_whole_in_the_cache(stages, name):
    outs = stages[name].outs
    if parts_of(name)[0] in ON_A_GPU:
        assert outs and all(out.use_cache and not (out.metric or out.plot or out.persist) for out in outs)


@each_item
def test_metrics_and_plots_are_kept_in_git(stages, name):
    for out in stages[name].outs:
        if out.metric or out.plot:
            assert not out.use_cache, out.def_path
        assert not out.persist, out.def_path


@each_item
def test_python_hashes_by_the_seed_where_something_is_random(stages, name):
    seed = params.read("seed", int, ROOT / "params.yaml")
    if parts_of(name)[0] in RANDOM:
        assert f" PYTHONHASHSEED={seed} " in stages[name].cmd


@each_item
def test_a_stage_runs_the_code_of_this_folder(stages, name):
    assert stages[name].cmd.startswith("env PYTHONPATH=src ")


def test_every_curve_that_is_plotted_is_a_result_kept_in_git(stages):
    outs = {out.def_path for stage in stages.values() for out in stage.outs if not out.use_cache}
    pipeline = params.load(ROOT / "dvc.yaml")
    plotted = [
        file
        for plot in pipeline["plots"]
        for settings in plot.values()
        if isinstance(settings.get("y"), dict)
        for file in settings["y"]
    ]
    assert plotted
    for file in plotted:
        assert any(Path(file).is_relative_to(out) for out in outs), file
