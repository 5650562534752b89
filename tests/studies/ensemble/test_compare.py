import csv
import json
import shutil

import pytest

import study as made_up


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


DETECTORS = [*made_up.SKILLS, "ensemble"]


@pytest.mark.parametrize("evaluation", ["internal", "cifake"])
def test_the_comparison_has_the_figures_of_the_evaluation(study, evaluation):
    compared = read(study / f"reports/comparison/{evaluation}.json")
    measured = read(study / f"reports/evaluation/{evaluation}/metrics.json")
    assert compared["data_set"] == evaluation and compared["n"] == 60 and compared["resamples"] == 100
    assert list(compared["detectors"]) == DETECTORS
    for name, figures in compared["detectors"].items():
        for metric, figure in figures.items():
            assert figure["value"] == measured[name][metric]


def test_the_accuracy_weighting_is_the_ensembles_own(study):
    weightings = read(study / "reports/comparison/internal.json")["weightings"]
    weights = read(study / "reports/ensemble/weights.json")
    assert weightings["accuracy"]["weights"] == pytest.approx(weights, rel=1e-9)


def test_plot_tables_repeat_the_comparison(study):
    compared = read(study / "reports/comparison/internal.json")

    def rows(name):
        found = table(study / f"reports/comparison/{name}.csv")
        assert {row["data_set"] for row in found} == {"internal", "cifake"}
        return [row for row in found if row["data_set"] == "internal"]

    reliability = rows("reliability")
    assert {row["detector"] for row in reliability} == set(DETECTORS)
    bins = [row for row in reliability if row["detector"] == "xception"]
    assert [int(row["images"]) for row in bins] == [
        b["n"] for b in compared["calibration"]["xception"]["reliability"]
    ]
    assert sum(int(row["images"]) for row in bins) == 60
    weightings = {row["weighting"]: float(row["accuracy"]) for row in rows("weightings")}
    assert weightings == {
        name: of["metrics"]["accuracy"]["value"] for name, of in compared["weightings"].items()
    }
    added = {row["member"]: float(row["auc_ci_low"]) for row in rows("leave_one_out")}
    assert added == {
        name: of["auc"]["ci_low"] for name, of in compared["complementarity"]["member_adds"].items()
    }


def test_the_drop_leads_from_one_comparison_to_the_other(study):
    found = read(study / "reports/comparison/drop/cifake.json")
    for end, evaluation in (("internal", "internal"), ("outside", "cifake")):
        compared = read(study / f"reports/comparison/{evaluation}.json")["detectors"]
        for name, metrics in found["drops"].items():
            assert {metric: of[end] for metric, of in metrics.items()} == compared[name]
    assert len(found["subjects"]) == 10 and found["without_subject"] == 0


def test_the_same_predictions_give_the_same_bytes(study, tmp_path):
    for name in ("params.yaml", "predictions", "reports/ensemble"):
        source, target = study / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    made_up.run(tmp_path, "compare")
    for file in (tmp_path / "reports/comparison").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (study / file.relative_to(tmp_path)).read_bytes(), file.name
