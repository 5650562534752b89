"""Both dvc.yaml say of each stage what it is made from: rooms of code, and exactly the params it reads."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from dvc.stage import PipelineStage

from clones import ROOT
from deepfake_ensemble.foundation import params
from modules import has_code, modules_at

SOURCE = ROOT / "src"
PACKAGE = "deepfake_ensemble"
REGISTRY = f"{PACKAGE}.architectures"
PIPELINES = {"ensemble": ROOT, "residual": ROOT / "residual"}
TRAININGS = ("train", "finetune")
ON_A_GPU = (*TRAININGS, "predict", "predict_finetuned", "perturb")
RANDOM = ("initialise", "gradients", *TRAININGS)
ASK_FOR_ALL_ARCHITECTURES = ("check", "describe", "gradients")

# Read, and without any influence on what is made.
WITHOUT_INFLUENCE = {"resume.save_minutes", "decoded.memory_gib", "tracking"}

# Told what a training reaches, and never asked: trainings import it and depend on nothing in it.
TOLD = "tracking"

# Read for the names of what is predicted alone: a further data set comes with images of its own, which are
# listed, and nobody reads the table of one that is gone. What is made of several models, runs or data sets
# tracks which.
READ_FOR_NAMES = {("predict", "data_sets"), ("predict_finetuned", "data_sets")}

# The modules that some stage depends on without importing them, by room. An edit there reruns that stage for
# nothing: seconds of arithmetic, or pages, and the same bytes end it. No training depends on any of them.
SPARE = {
    "archives": "archive audit audit_report baselines data_set index layouts quantisation splitting",
    "comparison": "calibration comparison comparison_tables complementarity drop guessing operating_points"
    " paired robustness runs sample spread verdicts",
    "evaluation": "compared_figures curve_tables metrics model_choice predictions probabilities rounding"
    " settings weighting weights_file",
    "explanation": "choice feature_maps gallery gallery_page gradcam pictures_page",
    "fetching": "folder kaggle local published zipped",
    "mistakes": "contrasts measures page settings",
    "pages": "detectors",
    "perturbing": "perturbations",
    "portable": "assembling classifier feature_distance graph graph_digest metadata out_of_distribution"
    " parity settings summary",
    "sample": "archives synthesis",
    "studies/ensemble/report": "answer figures implications method_figures model_card page"
    " robustness_page sections study",
}


@cache
def stages(study: str) -> dict[str, PipelineStage]:
    """Return a study's stages as DVC resolves them: each item of a `foreach` by its own name."""
    with Repo(str(PIPELINES[study])) as repo:
        return {stage.name: stage for stage in repo.index.stages if isinstance(stage, PipelineStage)}


each_item = pytest.mark.parametrize(
    ("study", "name"), [(study, name) for study in PIPELINES for name in stages(study)]
)


def module_of(stage: PipelineStage) -> str:
    found = re.search(rf"-m ({PACKAGE}[\w.]+)", stage.cmd)
    assert found
    return found[1]


def code_of(stage: PipelineStage) -> list[Path]:
    """Return the files of this package that a stage depends on."""
    listed = [dep.def_path for dep in stage.deps if dep.def_path.startswith("src/")]
    return [file for path in listed for file in modules_at(ROOT / path)]


def room_of(file: Path) -> str:
    parts = file.relative_to(SOURCE / PACKAGE).parent.parts
    return "/".join(parts[: 3 if parts[0] == "studies" else 2 if parts[0] == "training" else 1])


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
    """Yield the packages that are imported before a module, and the module; not the whole package's own file,
    which imports by name what is asked of it from outside, and which nothing in here asks."""
    parts = module.split(".")
    return (".".join(parts[: i + 1]) for i in range(1, len(parts)))


def test_no_module_asks_the_whole_package_for_what_it_offers_to_others():
    for file in (SOURCE / PACKAGE).rglob("*.py"):
        for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.Import):
                assert PACKAGE not in [alias.name for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom) and statement.module == PACKAGE:
                assert all(exists(f"{PACKAGE}.{alias.name}") for alias in statement.names)


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


@cache
def imported(study: str, name: str) -> frozenset[Path]:
    """Return the files with code that a stage's process can import, its own architecture among them."""
    stage, _, item = name.partition("@")
    found = closure(module_of(stages(study)[name]))
    if f"{PACKAGE}.models.architecture" in found and stage in ("initialise", "fetch", *TRAININGS):
        found = found | closure(f"{REGISTRY}.{model_of(study, stage, item)}")
    return frozenset(
        file_of(module) for module in found if has_code(file_of(module)) and room_of(file_of(module)) != TOLD
    )


def model_of(study: str, stage: str, item: str) -> str:
    """Return the architecture that an item of a stage builds."""
    if study == "ensemble" or stage == "fetch":
        return item
    start = {"train": "random", "finetune": "imagenet"}[stage]
    return params.read(f"runs.{start}.{item}.model", str, PIPELINES[study] / "params.yaml")


@each_item
def test_a_stages_rooms_hold_all_the_code_that_it_imports(study, name):
    rooms = set(code_of(stages(study)[name]))
    if name in ASK_FOR_ALL_ARCHITECTURES:
        assert rooms > set(modules_at(SOURCE / PACKAGE / "architectures"))
    assert imported(study, name) <= rooms


def spare(study: str, name: str) -> set[Path]:
    """Return what a stage depends on without importing it, and no training of its study imports either."""
    # Of the registry, by their names.
    asked_for = "architectures" if name in ASK_FOR_ALL_ARCHITECTURES else None
    return {
        file
        for file in code_of(stages(study)[name])
        if file not in imported(study, name) | trained_by(study) and room_of(file) != asked_for
    }


@cache
def trained_by(study: str) -> frozenset[Path]:
    """Return the code of trainings: an edit there reruns what stands after them anyhow."""
    return frozenset().union(*(imported(study, name) for name in stages(study) if name.startswith("train@")))


@each_item
def test_a_training_depends_on_nothing_that_it_does_not_import(study, name):
    if name.partition("@")[0] in TRAININGS:
        assert set(code_of(stages(study)[name])) == imported(study, name)


@each_item
def test_what_any_other_stage_depends_on_without_importing_it_is_arithmetic_or_pages(study, name):
    if name.partition("@")[0] in ON_A_GPU:
        assert spare(study, name) == set()
    for file in spare(study, name):
        assert file.stem in SPARE[room_of(file)].split(), file


def test_nothing_is_said_to_be_spare_that_is_not():
    found = {
        (room_of(file), file.stem)
        for study in PIPELINES
        for name in stages(study)
        for file in spare(study, name)
    }
    assert found == {(room, module) for room, modules in SPARE.items() for module in modules.split()}


@pytest.mark.parametrize("study", PIPELINES)
def test_a_model_does_not_depend_on_the_file_of_another(study):
    files = {path.stem for path in (SOURCE / PACKAGE / "architectures").glob("[!_]*.py")}
    folder = f"src/{PACKAGE}/architectures/"
    for name, stage in stages(study).items():
        kind, _, item = name.partition("@")
        if kind in ("initialise", "fetch", *TRAININGS):
            deps = {dep.def_path for dep in stage.deps}
            assert {f for f in files if f"{folder}{f}.py" in deps} == {model_of(study, kind, item)}


def test_imports_run_downwards_only():
    floors = [
        {"foundation", "scoring", TOLD},
        {"faces", "fetching", "sample", "reading", "distributed"},
        {"archives", "models", "architectures"},
        {"inference", "perturbing", "training", "evaluation"},
        {"comparison", "explanation", "pages", "mistakes"},
        {"portable"},
        {"use", "studies"},
        {"__main__"},
        {"workflow", "cluster"},
    ]
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    for file in (SOURCE / PACKAGE).rglob("*.py"):
        module = ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        here = module.split(".")[1:2]
        for other in imports(module):
            there = other.split(".")[1:2]
            if here and there and here != there:
                assert floor[there[0]] <= floor[here[0]], f"{module} imports {other}"


@each_item
def test_a_stage_depends_on_the_versions_of_what_computes_if_it_runs_tensorflow(study, name):
    deps = {dep.def_path for dep in stages(study)[name].deps}
    runs_networks = SOURCE / PACKAGE / "models/session.py" in imported(study, name)
    assert ("requirements/compute.txt" in deps) == runs_networks


# What a stage reads of params.yaml, by its syntax tree as well.


def test_params_are_read_by_studies_alone():
    readers = {
        file.relative_to(SOURCE / PACKAGE).parts[0]
        for file in (SOURCE / PACKAGE).rglob("*.py")
        if f"{PACKAGE}.foundation.params" in imports(".".join(file.relative_to(SOURCE).with_suffix("").parts))
    }
    assert readers <= {"studies", "workflow", "cluster", "foundation"}


def keys_read(module: str, profile: str, arguments: dict[str, str]) -> set[str]:
    """Return the keys that a stage's module reads; of a section that it keeps, those it then uses."""
    tree = ast.parse(file_of(module).read_text(encoding="utf-8"))
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


def arguments_of(stage: PipelineStage) -> dict[str, str]:
    """Return the arguments of a stage's `main` by their names, from the stage's command."""
    module = module_of(stage)
    values = stage.cmd.partition(module)[2].split()
    tree = ast.parse(file_of(module).read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    return dict(zip([argument.arg for argument in main.args.args], values, strict=True))


def within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


@each_item
def test_the_params_of_a_stage_are_those_it_reads(study, name):
    stage = name.partition("@")[0]
    if stage in ("check", "report"):  # they look at all of them, and depend on the file
        assert "params.yaml" in {dep.def_path for dep in stages(study)[name].deps}
        return
    profile = params.active_profile(PIPELINES[study] / "params.yaml")
    arguments = arguments_of(stages(study)[name])
    if stage in TRAININGS and study == "residual":
        run = params.read(
            f"runs.{arguments['weights']}.{arguments['run']}", Any, PIPELINES[study] / "params.yaml"
        )
        arguments |= {"planned.recipe": run["recipe"], "planned.model": run["model"]}
    read = keys_read(module_of(stages(study)[name]), profile, arguments)
    tracked = {key for dep in stages(study)[name].params for key in dep.params}
    for key in read:
        # A run from random weights does not come to what says whether others are done.
        other = stage == "train" and key == f"{profile}.imagenet"
        if not other and key not in WITHOUT_INFLUENCE and (stage, key) not in READ_FOR_NAMES:
            assert any(within(key, section) for section in tracked), f"{key} is read and not tracked"
    for section in tracked:
        assert any(within(key, section) for key in read), f"{section} is tracked and not read"


# How results are kept.


@each_item
def test_every_stage_says_what_it_does(study, name):
    desc = stages(study)[name].desc
    assert desc and desc.endswith(".")


@each_item
def test_what_needs_a_gpu_is_kept_whole_in_the_cache(study, name):
    outs = stages(study)[name].outs
    if name.partition("@")[0] in ON_A_GPU:
        assert outs and all(out.use_cache and not (out.metric or out.plot or out.persist) for out in outs)


@each_item
def test_metrics_and_plots_are_kept_in_git(study, name):
    for out in stages(study)[name].outs:
        if out.metric or out.plot:
            assert not out.use_cache, out.def_path
        assert not out.persist, out.def_path


@each_item
def test_python_hashes_by_the_seed_where_something_is_random(study, name):
    seed = params.read("seed", int, PIPELINES[study] / "params.yaml")
    if name.partition("@")[0] in RANDOM:
        assert f" PYTHONHASHSEED={seed} " in stages(study)[name].cmd


@each_item
def test_a_stage_runs_the_code_of_this_folder(study, name):
    assert stages(study)[name].cmd.startswith("env PYTHONPATH=src ")


@pytest.mark.parametrize("study", PIPELINES)
def test_every_curve_that_is_plotted_is_a_result_kept_in_git(study):
    outs = {out.def_path for stage in stages(study).values() for out in stage.outs if not out.use_cache}
    pipeline = yaml.safe_load((PIPELINES[study] / "dvc.yaml").read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("pipeline", ["dvc.yaml", "residual/dvc.yaml"])
def test_nothing_in_dvc_yaml_is_a_list_of_models_runs_or_data_sets(pipeline):
    text = (ROOT / pipeline).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    named = [*params.read("models", dict[str, Any], ROOT / "params.yaml"), "cifake", "resnet18_random"]
    assert [name for name in named if re.search(rf"\b{name}\b", text)] == []
