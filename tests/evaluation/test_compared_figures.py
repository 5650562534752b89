import json

from deepfake_ensemble.evaluation.compared_figures import write
from deepfake_ensemble.evaluation.metrics import Metrics


def metrics(accuracy: float) -> Metrics:
    return Metrics(accuracy, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 10)


def test_each_data_set_has_a_file_with_the_compared_figures_of_each_detector(tmp_path):
    measured = {"internal": {"cnn": metrics(0.9), "ensemble": metrics(1.0)}, "cifake": {"cnn": metrics(0.7)}}
    write(tmp_path / "metrics", measured, ("accuracy", "f1"))
    assert {file.stem: json.loads(file.read_text()) for file in (tmp_path / "metrics").iterdir()} == {
        "internal": {"cnn": {"accuracy": 0.9, "f1": 0.3}, "ensemble": {"accuracy": 1.0, "f1": 0.3}},
        "cifake": {"cnn": {"accuracy": 0.7, "f1": 0.3}},
    }


def test_figures_of_a_data_set_that_is_gone_do_not_stay(tmp_path):
    for data_set in ("internal", "other"):
        write(tmp_path / "metrics", {data_set: {"cnn": metrics(0.9)}}, ("accuracy",))
    assert [file.name for file in (tmp_path / "metrics").iterdir()] == ["other.json"]
