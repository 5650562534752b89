import json

from deepfake_ensemble.evaluation.compared_figures import compared_figures, write
from deepfake_ensemble.evaluation.metrics import Metrics


def metrics(accuracy: float) -> Metrics:
    return Metrics(accuracy, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 10)


def test_each_detector_has_its_weight_and_the_figures_of_each_evaluation_where_it_was_measured():
    measured = {"internal": {"cnn": metrics(0.9), "ensemble": metrics(1.0)}, "cifake": {"cnn": metrics(0.7)}}
    assert compared_figures(measured, ("accuracy", "f1"), {"cnn": 0.25}) == {
        "cnn": {
            "weight": 0.25,
            "internal": {"accuracy": 0.9, "f1": 0.3},
            "cifake": {"accuracy": 0.7, "f1": 0.3},
        },
        "ensemble": {"internal": {"accuracy": 1.0, "f1": 0.3}},
    }


def test_figures_of_a_detector_that_is_gone_do_not_stay(tmp_path):
    write(tmp_path / "metrics", {"cnn": {"weight": 0.5}, "other": {"weight": 0.5}})
    write(tmp_path / "metrics", {"cnn": {"weight": 1.0}})
    assert [file.name for file in (tmp_path / "metrics").iterdir()] == ["cnn.json"]
    assert json.loads((tmp_path / "metrics/cnn.json").read_text()) == {"weight": 1.0}
