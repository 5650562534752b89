"""A fifth model is one file and one entry, another data set one entry; `make pipeline` does the rest.

What becomes of dvc.yaml is tested by test_wiring.py; here the stages run.
"""

import re
import shutil
import sys
from collections.abc import Iterator

import pytest
import yaml

from clones import ROOT, Clone, clone, of, ran
from tiny_run import MODELS, TINY, Run

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

README = (ROOT / "README.md").read_text(encoding="utf-8")


def example(language: str, beginning: str) -> str:
    """Return the README's block of code that begins with certain words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if block.lstrip().startswith(beginning))


@pytest.fixture(scope="module")
def extended(whole_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone of the run, with its results, and with the README's fifth model and another data set."""
    folder = tmp_path_factory.mktemp("extended")
    there = clone(folder / "clone", whole_run.clone.folder)
    there.dvc("cache", "dir", "--quiet", "--local", str(whole_run.clone / ".dvc/cache"))
    there.dvc("checkout", "--quiet")
    path = re.search(r"One file, `([^`]+)`", README)
    assert path
    (there / path[1]).write_text(example("python", '"""VGG19'), encoding="utf-8")
    cifake = there.yaml("params.yaml")["data_sets"]["cifake"]
    there.set_params(
        {f"models.{name}": entry for name, entry in yaml.safe_load(example("yaml", "vgg19")).items()}
        | {"data_sets.third": cifake | {"partition": "train", "splits": ["third"]}}
        | {f"profiles.{name}.counts.third": 40 for name in there.yaml("params.yaml")["profiles"]}
    )
    command = (sys.executable, "-m", "deepfake_ensemble.workflow.wiring")
    there.run(*command, environment={"PYTHONPATH": "src"})
    yield there
    shutil.rmtree(folder)


def test_a_fifth_model_is_trained_and_no_other(extended):
    log = extended.dvc("repro", "predict@vgg19")
    assert of("initialise", ran(log)) == ["initialise@vgg19"]
    assert of("train", ran(log)) == ["train@vgg19"]
    for split, count in {**TINY["profiles.sample.counts"], "third": 40}.items():
        if split != "train":
            rows = (extended / f"predictions/vgg19/{split}.csv").read_text(encoding="utf-8").splitlines()
            assert len(rows) == 1 + count


def test_another_data_set_is_evaluated_and_nothing_trained_for_it(extended):
    extended.dvc("repro", "train@vgg19")
    log = extended.dvc("repro", "evaluate@third")
    assert of("train", ran(log)) == []
    assert of("predict", ran(log)) != []
    assert of("evaluate", ran(log)) == ["evaluate@third"]
    report = (extended / "reports/evaluation/third/metrics.json").read_text(encoding="utf-8")
    metrics = yaml.safe_load(report)
    assert list(metrics) == [*MODELS, "vgg19", "ensemble"]
    assert {figures["n"] for figures in metrics.values()} == {40}
    rows = (extended / "data/splits/third.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert all(row.startswith("train/") for row in rows)
