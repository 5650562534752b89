"""`make pipeline` brings dvc.yaml up to date with models and data sets, and changes nothing else in it."""

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from clones import ROOT
from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow import wiring

BEFORE = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
SETS = params.load(ROOT / "params.yaml")["data_sets"]
MODELS = list(params.load(ROOT / "params.yaml")["models"])
FIFTH = "fifth"


@pytest.fixture(autouse=True, scope="module")
def in_the_project() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        # The code does not change while these tests run, and following its imports takes half a second.
        patch.setattr(wiring, "imported", functools.cache(wiring.imported))
        yield


def like_cifake(*names: str) -> dict[str, Any]:
    return {name: SETS["cifake"] | {"partition": "train", "splits": [name]} for name in names}


def rewired(text: str, models: list[str] = MODELS, more: dict[str, Any] | None = None) -> str:
    sets = SETS | (more or {})
    return wiring.rewired(text, models, {name: DataSet(**entry) for name, entry in sets.items()})


@functools.cache
def read(text: str) -> dict[str, Any]:
    return yaml.load(text, yaml.CSafeLoader)


def stages(text: str) -> dict[str, Any]:
    return read(text)["stages"]


def plots(text: str) -> dict[str, Any]:
    return {name: settings for plot in read(text)["plots"] for name, settings in plot.items()}


def lists_of(text: str, stage: str) -> list[str]:
    """Return the deps and outs of a stage, with their settings, as text."""
    body = stages(text)[stage]
    body = body.get("do", body)
    return [str(entry) for key in ("deps", "outs", "metrics", "plots") for entry in body.get(key, [])]


# The code of a stage


def test_a_package_that_a_stage_uses_whole_is_one_dep_and_of_others_only_its_modules(tmp_path):
    whole, part, inner = tmp_path / "whole", tmp_path / "part", tmp_path / "whole_but_for/inner"
    files = [folder / f"{name}.py" for folder in (whole, part, inner, inner.parent) for name in "ab"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    (whole / "__init__.py").write_text('"""What it is for."""\n')
    used = {file for file in files if file not in (part / "b.py", inner / "b.py")}
    others = {part / "a.py", inner / "a.py", inner.parent / "a.py", inner.parent / "b.py"}
    assert wiring.folded(used) == {whole} | others


def test_packages_within_a_package_that_a_stage_uses_whole_are_in_its_dep(tmp_path):
    folders = [tmp_path / "whole", tmp_path / "whole/inner", tmp_path / "whole/inner/innermost"]
    files = {folder / f"{name}.py" for folder in folders for name in "ab"}
    for file in sorted(files):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x = 1\n")
    assert wiring.folded(files) == {tmp_path / "whole"}
    assert wiring.folded(files - {tmp_path / "whole/a.py"}) == {
        tmp_path / "whole/b.py",
        tmp_path / "whole/inner",
    }


# A fifth model


@pytest.fixture(scope="module")
def with_a_fifth() -> str:
    return rewired(BEFORE, [*MODELS, FIFTH])


def test_a_fifth_model_is_an_item_of_every_stage_that_has_one_for_each(with_a_fifth):
    for stage in ("initialise", "train", "predict"):
        assert stages(with_a_fifth)[stage]["matrix"] == {"model": [*MODELS, FIFTH]}


@pytest.mark.parametrize("stage", stages(BEFORE))
def test_a_fifth_model_is_read_wherever_all_models_are(with_a_fifth, stage):
    before, after = lists_of(BEFORE, stage), lists_of(with_a_fifth, stage)
    new = [entry for entry in after if FIFTH in entry]
    assert new == [entry.replace(MODELS[-1], FIFTH) for entry in before if MODELS[-1] in entry]
    assert [entry for entry in after if entry not in new] == before


def test_a_fifth_model_is_drawn_in_every_plot_with_a_line_for_each(with_a_fifth):
    def with_a_line_for(model: str, text: str) -> list[str]:
        return [name for name, it in plots(text).items() if any(model in file for file in it["y"])]

    assert list(plots(with_a_fifth)) == list(plots(BEFORE))
    assert with_a_line_for(FIFTH, with_a_fifth) == with_a_line_for(MODELS[-1], BEFORE)
    assert {"training_loss", "roc_internal", "precision_recall_cifake"} <= set(
        with_a_line_for(FIFTH, with_a_fifth)
    )


# Another data set


@pytest.fixture(scope="module", params=["third", "my_own_set"])
def another(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The name of another data set, and dvc.yaml with it."""
    return request.param, rewired(BEFORE, more=like_cifake(request.param))


def test_another_data_set_is_an_item_of_every_stage_that_has_one_for_each(another):
    name, text = another
    before, after = stages(BEFORE), stages(text)
    for stage in ("download", "audit"):
        assert after[stage]["matrix"] == {"data_set": [*SETS, name]}
    for stage in ("pack", "evaluate"):
        assert after[stage]["foreach"] == before[stage]["foreach"] | {name: name}


@pytest.mark.parametrize("stage", stages(BEFORE))
def test_another_data_set_is_read_and_written_wherever_cifake_is(another, stage):
    name, text = another
    before, after = lists_of(BEFORE, stage), lists_of(text, stage)
    new = [entry for entry in after if name in entry]
    assert new == [entry.replace("cifake", name) for entry in before if "cifake" in entry]
    assert [entry for entry in after if entry not in new] == before


def test_another_data_set_has_all_plots_that_cifake_has(another):
    name, text = another
    before, after = plots(BEFORE), plots(text)
    of_cifake = [plot for plot in before if plot.endswith("_cifake")]
    assert of_cifake
    assert {plot: after[plot] for plot in before} == before
    assert set(after) - set(before) == {plot.replace("cifake", name) for plot in of_cifake}
    for plot in of_cifake:
        new = after[plot.replace("cifake", name)]
        assert list(new["y"]) == [file.replace("cifake", name) for file in before[plot]["y"]]
        assert new["title"] == before[plot]["title"].replace("CIFAKE", name)


def test_other_faces_can_take_the_place_of_those_that_are_trained_on():
    faces = SETS["faces"]
    sets = {"portraits": faces, **SETS, "faces": faces | {"splits": ["faces"]}}
    after = wiring.rewired(BEFORE, MODELS, {name: DataSet(**entry) for name, entry in sets.items()})
    assert stages(after)["pack"]["foreach"] == {
        **dict.fromkeys(faces["splits"], "portraits"),
        "faces": "faces",
        "cifake": "cifake",
    }
    assert stages(after)["evaluate"]["foreach"] == {"internal": "test", "faces": "faces", "cifake": "cifake"}
    assert lists_of(after, "split")[:3] == [f"data/index/{name}.csv" for name in sets]
    assert rewired(after) == BEFORE


def test_without_a_data_set_to_evaluate_on_there_is_nothing_to_write():
    with pytest.raises(UserError, match=r"^params\.yaml: data_sets: none is left to evaluate on"):
        wiring.rewired(BEFORE, MODELS, {"faces": DataSet(**SETS["faces"])})


# What stays


@pytest.mark.parametrize(
    ("models", "more"),
    [
        ([*MODELS, FIFTH], {}),
        (MODELS[1:], {}),
        (MODELS[::-1], {}),
        (MODELS, like_cifake("third")),
        (MODELS, like_cifake("my_own_set", "set")),
        ([*MODELS, FIFTH], like_cifake("third", "my_own_set")),
    ],
)
def test_what_was_added_or_left_out_can_be_undone_without_a_trace(models, more):
    after = rewired(BEFORE, models, more)
    assert after != BEFORE
    assert rewired(after, models, more) == after
    assert rewired(after) == BEFORE


def test_comments_stay_where_they_are():
    text = BEFORE
    for line in ("  predict:\n", "  split:\n", "plots:\n", "    outs:\n", "    metrics:\n"):
        text = text.replace(line, f"{line[: len(line) - len(line.lstrip())]}# about this\n{line}")
    text = text.replace("      - training\n", "      - training  # the protocol\n")
    text = text.replace(
        "      - data/packed/val\n", "      # chooses the best epoch\n      - data/packed/val\n"
    )
    assert text.count("# about this") > 10
    assert rewired(text) == text
    after = rewired(text, [*MODELS, FIFTH], like_cifake("third"))
    assert [line for line in after.splitlines() if "#" in line] == [
        line for line in text.splitlines() if "#" in line
    ]
    assert rewired(after) == text


def test_a_stage_without_deps_is_named():
    text = BEFORE.replace("plots:\n", "  publish:\n    cmd: echo\n\nplots:\n", 1)
    text = text.replace("\n\n\n  publish", "\n\n  publish")
    with pytest.raises(UserError, match=r"^dvc\.yaml: stages\.publish: lists no deps"):
        rewired(text)


# What lies beside the code


@pytest.fixture
def depending(tmp_path: Path) -> Path:
    """A project with this one's .dvcignore and an up-to-date stage that depends on the folder `code`."""
    Repo.init(str(tmp_path), no_scm=True).close()
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    (tmp_path / "code/inner").mkdir(parents=True)
    (tmp_path / "code/inner/module.py").write_text("x = 1\n")
    (tmp_path / "dvc.yaml").write_text("stages: {use: {cmd: 'true', deps: [code]}}\n")
    with Repo(str(tmp_path)) as repo:
        repo.commit(None, force=True)
    return tmp_path


def is_up_to_date(project: Path) -> bool:
    with Repo(str(project)) as repo:
        return not repo.status()


@pytest.mark.parametrize("name", ["__pycache__/module.cpython-312.pyc", ".module.py.swp", "module.py~"])
def test_what_python_and_editors_leave_beside_the_code_makes_no_stage_run(depending, name):
    left = depending / "code/inner" / name
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"left behind")
    assert is_up_to_date(depending)


def test_another_module_does(depending):
    (depending / "code/inner/other.py").write_text("y = 2\n")
    assert not is_up_to_date(depending)
