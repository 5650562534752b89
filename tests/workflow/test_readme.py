"""README.md is true: its generated parts are current, its commands exist, its examples work."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from dvc.cli.parser import get_main_parser

import markdown
from clones import clone
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow import generated, measured, readme

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [code for of, code in BLOCKS if of == language]


def commands() -> list[str]:
    """Return every command of the README, from its blocks and from its prose."""
    lines = [line.split("#")[0] for block in blocks("bash") for line in block.splitlines()]
    prose = re.findall(r"`((?:make|dvc|python|git) [^`]+)`", TEXT)
    return [command.strip() for line in [*lines, *prose] for command in line.split(";") if command.strip()]


def test_the_generated_parts_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert generated.filled(TEXT, readme.parts(), Path("README.md")) == TEXT, "run `make readme`"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {word for command in commands() if command.startswith("make ") for word in command.split()[1:]}
    assert {name for name in named if "=" not in name} - {"#"} <= targets
    assert {"repro", "test", "help", "plan", "setup", "readme", "pipeline"} <= named


@pytest.mark.parametrize("command", [command for command in commands() if command.startswith("dvc ")])
def test_every_dvc_command_is_one_that_dvc_knows(command: str) -> None:
    arguments = get_main_parser().parse_args(shlex.split(command)[1:])
    for change in getattr(arguments, "set_param", None) or []:
        value = params.load(ROOT / "params.yaml")
        for key in change.partition("=")[0].split("."):
            value = value[key]


def test_every_python_module_exists() -> None:
    for command in commands():
        if command.startswith("python -m"):
            module = command.split()[2].replace(".", "/")
            assert (ROOT / "src" / f"{module}.py").exists(), command


@pytest.mark.parametrize("target", [it for it in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in it])
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists() or target in ("reports/data", "reports/evaluation")  # made by a run


def test_the_fifth_model_and_the_other_data_set_are_what_the_readme_says(tmp_path: Path) -> None:
    there = clone(tmp_path / "clone")
    (code,) = blocks("python")
    path = re.search(r"One file, `([^`]+)`", TEXT)
    assert path
    (there / path[1]).write_text(code)
    model, data_set = map(yaml.safe_load, blocks("yaml"))
    count = int(re.search(r"`portraits: (\d+)`", TEXT)[1])  # type: ignore[index]
    there.set_params(
        {f"models.{name}": entry for name, entry in model.items()}
        | {f"data_sets.{name}": entry for name, entry in data_set.items()}
        | {f"profiles.{name}.counts.portraits": count for name in there.yaml("params.yaml")["profiles"]}
    )
    environment = {"PYTHONPATH": "src"}
    there.run(sys.executable, "-m", "deepfake_ensemble.workflow.wiring", environment=environment)
    told = there.run(
        sys.executable, "-m", "deepfake_ensemble.studies.ensemble.params", environment=environment
    )
    assert "keys are in order" in told
    stages = there.dvc("stage", "list", "--name-only").split()
    assert {"train@vgg19", "predict@vgg19", "audit@portraits", "pack@portraits", "evaluate@portraits"} <= set(
        stages
    )
    pipeline = there.yaml("dvc.yaml")["stages"]
    assert "predictions/${item.model}/portraits.csv" in pipeline["predict"]["outs"]
    assert "models/vgg19.keras" in pipeline["assemble"]["deps"]


# The result table


METRICS = {"accuracy": 0.9, "f1": 0.91, "auc": 0.95, "n": 240}
SETTINGS = {"source": "sample", "image_size": 64, "counts": {"train": 640}, "initial_weights": "random"}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Reports of a run, as its stages write them, with figures that are easy to tell apart."""
    folder = tmp_path / "reports"
    logistic = {"auc": 0.867, "accuracy": 0.789, "folds": 5, "n": 504}
    for path, data in {
        "evaluation/cifake/metrics.json": {
            "cnn": METRICS | {"auc": 0.5125},
            "ensemble": METRICS | {"accuracy": 0.6},
        },
        "evaluation/internal/metrics.json": {"cnn": METRICS, "ensemble": METRICS | {"f1": 0.92}},
        "ensemble/weights.json": {"cnn": 1.0},
        "data/splits.json": {
            "faces": {"images": {"train": 640, "test": 240}},
            "cifake": {"images": {"cifake": 240}},
        },
        "data/faces.json": {"baselines": {"logistic": None}},
        "data/cifake.json": {"baselines": {"logistic": logistic}},
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(data))
    return folder


def test_the_table_shows_the_detectors_and_beside_them_what_trivial_features_reach(reports: Path) -> None:
    found = measured.read(reports)
    assert found
    header, *rows = markdown.lines(measured.detectors(found))
    assert header == (
        "| detector | weight | internal test (n = 240): accuracy | F1 | AUC"
        " | CIFAKE (n = 240): accuracy | F1 | AUC |"
    )
    assert rows == [
        "| CNN | 1.000 | 0.900 | 0.910 | 0.950 | 0.900 | 0.910 | 0.512 |",
        "| **ensemble** | | 0.900 | 0.920 | 0.950 | 0.600 | 0.910 | 0.950 |",
        "| *logistic regression on trivial features* | | – | – | – | *0.789* | – | *0.867* |",
    ]


def test_without_a_run_the_readme_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert readme.results(tmp_path / "reports").startswith("No run has been committed yet;")


def test_the_profile_is_the_one_that_dvc_lock_names(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    used = {f"profiles.sample.{key}": value for key, value in SETTINGS.items()}
    lock = {"stages": {"train@cnn": {"params": {"params.yaml": {"seed": 42, **used}}}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    told = readme.results(reports)
    assert told.startswith(
        "**Profile `sample`, not the study**: 640 training images of 64×64 pixels, random initial weights."
        " The images are synthesised"
    )
    assert "| *logistic regression" in told


@pytest.mark.parametrize(
    "stages", [{}, {"a": {"profiles.sample.source": 1}, "b": {"profiles.small.source": 1}}]
)
def test_a_lock_of_two_profiles_has_no_results(stages: dict) -> None:
    lock = {"stages": {name: {"params": {"params.yaml": used}} for name, used in stages.items()}}
    with pytest.raises(
        UserError, match=r"^dvc\.lock: its stages ran with the profiles (none|sample, small);"
    ):
        readme.ran_with(lock)


@pytest.mark.parametrize(
    ("changes", "study"),
    [
        ({"source": "kaggle"}, True),
        ({"source": "local"}, True),
        ({"source": "sample"}, False),
        ({"source": "kaggle", "image_size": 128}, False),
        ({"source": "kaggle", "counts": {"train": 1260}}, False),
        ({"source": "kaggle", "initial_weights": "random"}, False),
    ],
)
def test_only_the_study_s_size_data_and_weights_pass_for_the_study(changes: dict, study: bool) -> None:
    full = {"image_size": 256, "counts": {"train": 100_000}, "initial_weights": "imagenet"}
    assert ("not the study" not in measured.headline("x", full | changes)) is study


def test_the_graph_has_each_stage_once_and_no_arrow_that_follows_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    graph = readme.graph()
    stages = params.load(ROOT / "dvc.yaml")["stages"]
    assert re.findall(r'^    (\w+)\["', graph, flags=re.MULTILINE) == list(stages)
    assert f'train["train × {len(stages["train"]["matrix"]["model"])}"]:::gpu' in graph
    assert "    download --> audit\n" in graph
    assert "download --> pack" not in graph


def test_reports_that_someone_broke_are_named(reports: Path) -> None:
    (reports / "ensemble/weights.json").write_text("{")
    with pytest.raises(UserError, match=r"weights\.json: not JSON .*; restore it from git"):
        measured.read(reports)
    (reports / "ensemble/weights.json").unlink()
    with pytest.raises(UserError, match=r"weights\.json: missing; `dvc repro` makes it"):
        measured.read(reports)
