"""The pages written by hand are true: links lead somewhere, commands and files exist."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from dvc.cli.parser import get_main_parser

import markdown
from deepfake_ensemble.use import command_line

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/deepfake_ensemble"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *DOCS,
    *(ROOT / "data", ROOT / "models"),
]
PAGES = [page / "README.md" if page.is_dir() else page for page in PAGES]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# What errors.md quotes are messages, with made-up commands and files in them.
TOLD = [page for page in PAGES if page.name != "errors.md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
PROJECTS = {
    folder: [
        yaml.safe_load((ROOT / folder / name).read_text(encoding="utf-8"))
        for name in ("params.yaml", "dvc.yaml")
    ]
    for folder in ("", "residual")
}


def commands(program: str) -> list[str]:
    """Return every command of one program on any page, once."""
    found = [command for page in TOLD for command in markdown.commands(page.read_text(encoding="utf-8"))]
    return sorted({command for command in found if command.split()[0] == program})


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in markdown.links(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        there = target.exists() and (
            not heading or heading in markdown.anchors(target.read_text(encoding="utf-8"))
        )
        if not there:
            broken.append(link)
    assert broken == []


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in markdown.links(index.read_text())}
    assert {page for page in DOCS if page != index} <= linked


@pytest.mark.parametrize("page", [page for page in TOLD if page in PAGES], ids=lambda page: page.name)
def test_every_file_of_the_project_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|tests|docs|benchmarks|requirements|notebooks|\.ci)/[\w./-]+)`", text)
    modules = re.findall(r"`([a-z_]+(?:/[a-z_0-9]+)*\.py)`", text)
    example = re.findall(r"One file, `([^`]+)`", text)
    assert [path for path in {*named, *modules} if path not in example and not _exists(path)] == []


def _exists(path: str) -> bool:
    return any((folder / path).exists() for folder in (ROOT, PACKAGE)) or (
        "/" not in path and any(PACKAGE.rglob(path))
    )


def test_the_rooms_of_the_readme_exist() -> None:
    (table,) = re.findall(
        r"^\| room .*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    rooms = {
        room for row in table.strip().splitlines() for room in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    assert {room.partition("/")[0] for room in rooms} == {
        file.parent.name for file in PACKAGE.glob("*/__init__.py")
    }
    for room in rooms:
        studies = ("ensemble", "residual") if "STUDY" in room else ("",)
        assert all((PACKAGE / room.replace("STUDY", study)).is_dir() for study in studies), room


def test_every_make_target_exists() -> None:
    named = {word for command in commands("make") for word in shlex.split(command)[1:] if "=" not in word}
    assert named <= TARGETS
    assert {"repro", "test", "help", "plan", "setup", "readme"} <= named


@pytest.mark.parametrize("command", commands("dvc"))
def test_every_dvc_command_is_one_that_dvc_knows_with_params_and_stages_that_exist(command: str) -> None:
    words = shlex.split(command)[1:]
    if len(words) == 1 and words != ["repro"]:  # named, not shown
        words.append("--help")
    try:
        arguments = get_main_parser().parse_args(words)
    except SystemExit as ended:
        assert ended.code == 0
        return
    changes = getattr(arguments, "set_param", None) or []
    targets = [] if " remote " in command else getattr(arguments, "targets", None) or []
    assert any(
        all(_has(values, change.partition("=")[0]) for change in changes)
        and all("/" in target or target.partition("@")[0] in pipeline["stages"] for target in targets)
        for values, pipeline in PROJECTS.values()
    )


def _has(values: dict, key: str) -> bool:
    for part in key.split("."):
        if part not in values:
            return False
        values = values[part]
    return True


@pytest.mark.parametrize("command", commands("python"))
def test_every_program_in_python_exists(command: str) -> None:
    _, first, *rest = command.split()
    if first == "-m":
        module = ROOT / "src" / rest[0].replace(".", "/")
        found = module.with_suffix(".py").exists() or (module / "__main__.py").exists()
        assert found or not rest[0].startswith("deepfake_ensemble")
    else:
        assert (ROOT / first.removeprefix("../")).exists()


@pytest.mark.parametrize("command", commands("deepfake-ensemble"))
def test_every_use_of_the_command_is_one_it_knows(command: str) -> None:
    try:
        command_line.parser().parse_args(shlex.split(command)[1:])
    except SystemExit as ended:
        assert ended.code in (0, None)


def test_the_readme_can_be_read_to_the_end() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_anchors_are_those_that_github_makes() -> None:
    assert markdown.anchors("# Precision & XLA\n## A `dvc.lock`, twice\n## Twice\n## Twice\n") == {
        "precision--xla",
        "a-dvclock-twice",
        "twice",
        "twice-1",
    }


def test_github_runs_what_runs_before_anything_lands_with_actions_that_cannot_change() -> None:
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"].values()
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)


def test_a_report_of_a_problem_asks_for_the_plan_and_the_fingerprint() -> None:
    form = (ROOT / ".github/ISSUE_TEMPLATE/problem.yml").read_text(encoding="utf-8")
    fields = {field["id"] for field in yaml.safe_load(form)["body"] if "id" in field}
    assert {"plan", "fingerprint"} <= fields
    assert "`make plan`" in form and "`reports/run.json`" in form


def test_before_a_commit_runs_what_make_lint_runs() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert local["repo"] == "local"
    assert [(hook["entry"], hook["language"]) for hook in local["hooks"]] == [("make lint", "system")]
