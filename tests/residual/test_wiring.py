"""residual/dvc.yaml is what its generator writes, and says of each stage what it reads."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from dvc.stage import PipelineStage

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.training.residual.settings import Model, Runs
from deepfake_ensemble.workflow import residual_wiring as wiring

HOME = ROOT / "residual"
FILE = HOME / "params.yaml"
# Read, and without any influence on what is made; or for the names in it alone, which dvc.yaml lists.
NOT_TRACKED = {("train", "resume"), ("curves", "runs"), ("split", "data_sets")}


def runs() -> Runs:
    return params.read("runs", Runs, FILE)


def models() -> list[str]:
    return list(params.read("models", dict[str, Model], FILE))


def test_dvc_yaml_is_what_its_generator_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert (HOME / "dvc.yaml").read_text(encoding="utf-8") == wiring.written(runs(), models())


@pytest.fixture(scope="module")
def resolved() -> dict[str, PipelineStage]:
    """The stages as DVC resolves them, for the active profile."""
    with Repo(str(HOME)) as repo:
        return {stage.name: stage for stage in repo.index.stages if isinstance(stage, PipelineStage)}


def test_every_run_is_trained_predicted_scored_and_shown(resolved: dict[str, PipelineStage]) -> None:
    trained = {f"finetune@{run}" for run in runs().imagenet} | {f"train@{run}" for run in runs().random}
    assert trained == {name for name in resolved if name.startswith(("finetune@", "train@"))}
    for run in runs().all:
        assert f"predict@{run}" in resolved
        for test_set in ("official", "leak_free"):
            deps = {dep.def_path for dep in resolved[f"evaluate@{test_set}"].deps}
            assert f"predictions/{run}" in deps


def test_every_row_of_the_paper_s_tables_has_its_stage(resolved: dict[str, PipelineStage]) -> None:
    from deepfake_ensemble.studies.residual.report import paper

    table_2 = {f"finetune@{name}_imagenet" for name in paper.NETWORKS if name != "bird_lotfi"}
    scenarios = {
        f"{'finetune' if 'imagenet' in marks else 'train'}@{depth}_{marks}"
        for marks, _ in paper.SCENARIOS.values()
        for depth in ("resnet18", "resnet50", "resnet101", "resnet152")
    }
    details = {
        f"{'finetune' if 'imagenet' in run else 'train'}@{run}" for _, run, _ in paper.RESNET152.values()
    }
    assert table_2 | scenarios | details | {"train@bird_lotfi_random"} <= resolved.keys()
    assert "finetune@resnet152_imagenet_constant" in resolved


def test_profile_paper_does_all_of_them() -> None:
    from deepfake_ensemble.studies.residual import params as schema

    whole = params.check("", params.load(FILE), schema.Params)
    ours = {"fast_15", "fast_60"}
    assert set(schema.done(whole, whole.profiles["paper"])) == set(runs().all) - ours
    profile = whole.profiles["paper"]
    assert (profile.image_size, profile.counts["test"]) == (224, 20_000)
    assert {extent.epochs for run, extent in profile.runs.items() if run not in ours} == {None}


def test_a_network_s_training_depends_on_no_other_network_s_file(resolved: dict[str, PipelineStage]) -> None:
    for run, planned in runs().random.items():
        deps = {dep.def_path for dep in resolved[f"train@{run}"].deps}
        files = {Path(dep).stem for dep in deps if "architectures/" in dep} - {"__init__"}
        assert files == {planned.model}


def test_the_first_study_does_not_see_this_one() -> None:
    with Repo(str(ROOT)) as repo:
        assert not [stage.addressing for stage in repo.index.stages if "residual" in stage.addressing]


@pytest.mark.parametrize(
    "stage", ["split", "fetch", "train", "curves", "predict", "evaluate", "describe", "pictures"]
)
def test_a_stage_tracks_the_params_it_reads(resolved: dict[str, PipelineStage], stage: str) -> None:
    profile = params.active_profile(FILE)
    for name, of in resolved.items():
        kind = name.partition("@")[0]
        if kind != stage and not (stage == "train" and kind == "finetune"):
            continue
        tracked = {key for dep in of.params for key in dep.params}
        for key in keys_read(stage, of.cmd, profile):
            if kind == "train" and key == f"{profile}.imagenet":
                continue  # read for `finetune` alone
            if (stage, key.split(".")[0]) not in NOT_TRACKED:
                assert any(key == t or key.startswith(f"{t}.") or t.startswith(f"{key}.") for t in tracked), (
                    f"{name} reads {key} and does not track it"
                )


@pytest.mark.parametrize("stage", ["split", "train", "predict", "evaluate", "describe", "pictures"])
def test_a_stage_tracks_no_param_that_it_does_not_read(
    resolved: dict[str, PipelineStage], stage: str
) -> None:
    profile = params.active_profile(FILE)
    for name, of in resolved.items():
        if name.partition("@")[0] == stage:
            read = keys_read(stage, of.cmd, profile)
            for key in (key for dep in of.params for key in dep.params):
                assert any(key == r or key.startswith(f"{r}.") or r.startswith(f"{key}.") for r in read), (
                    f"{name} tracks {key} and does not read it"
                )


def keys_read(stage: str, command: str, profile: str) -> set[str]:
    """Return the keys that a stage's module reads, with what its command says in place of names."""
    file = ROOT / "src/deepfake_ensemble/residual/stages" / f"{stage}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    main = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main")
    given = command.partition(f"stages.{stage}")[2].split()
    values: dict[str, Any] = dict(zip([a.arg for a in main.args.args], given, strict=True))
    if stage == "train":
        run = runs().all[values["run"]]
        values |= {"planned.model": run.model, "planned.recipe": run.recipe}
    values |= {"profile": profile, "params.active_profile()": profile}
    keys = set()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "params.read":
            text = ast.unparse(call.args[0]).removeprefix("f")[1:-1]
            keys.add(re.sub(r"\{(.*?)\}", lambda found: values[found[1]], text))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "command.pin_processor":
            keys.add(f"{profile}.processor")
    return keys
