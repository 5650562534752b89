"""A further data set or model finds its way into every list of dvc.yaml."""

from collections import Counter
from typing import Any

import pytest
from ruamel.yaml import YAML

from clones import ROOT
from deepfake_ensemble import params
from deepfake_ensemble.pipeline import wiring
from deepfake_ensemble.sources.origin import DataSet


@pytest.fixture(scope="module")
def pipeline():
    """dvc.yaml with one more model and one more data set to evaluate on."""
    known = params.read("data_sets", dict[str, DataSet], ROOT / "params.yaml")
    models = list(params.read("models", dict[str, Any], ROOT / "params.yaml"))
    wild = DataSet(layout="cifake", kaggle="owner/wild", version=1, partition="test", splits=["wild"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
        return YAML(typ="safe").load(wiring.rewired(text, [*models, "vit"], known | {"wild": wild}))


def names(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def test_a_further_data_set_is_evaluated_compared_and_reported(pipeline):
    stages = pipeline["stages"]
    for stage in ("evaluate", "compare"):
        assert stages[stage]["foreach"] == {"internal": "test", "cifake": "cifake", "wild": "wild"}
    assert stages["drop"]["foreach"] == {"cifake": "cifake", "wild": "wild"}
    reported = stages["report"]["deps"]
    assert {dep.replace("cifake", "wild") for dep in reported} <= set(reported)


def test_a_further_model_is_compared_and_reported(pipeline):
    for stage in ("compare", "drop"):
        assert "predictions/vit/${item}.csv" in pipeline["stages"][stage]["do"]["deps"]
    assert "predictions/vit/fingerprint.json" in pipeline["stages"]["report"]["deps"]
    for name, settings in plots(pipeline).items():
        if name.startswith("reliability_"):
            assert len(settings["y"]) == 6


def plots(pipeline):
    return {name: settings for plot in pipeline["plots"] for name, settings in plot.items()}


def test_each_data_set_has_plots_of_its_own(pipeline):
    found = plots(pipeline)
    for name in [name for name in found if name.endswith("_cifake")]:
        other = found[name.replace("cifake", "wild")]
        assert other["title"].endswith(", wild")
        assert list(other["y"]) == [file.replace("cifake", "wild") for file in found[name]["y"]]
        assert "wild" not in str(found[name])


def test_nothing_is_listed_twice(pipeline):
    for name, stage in pipeline["stages"].items():
        body = stage.get("do", stage)
        for key in ("deps", "outs", "metrics"):
            twice = [entry for entry, times in Counter(names(body.get(key, []))).items() if times > 1]
            assert not twice, (name, key)
