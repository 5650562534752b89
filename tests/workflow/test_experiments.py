"""What `make experiments` shows of what `dvc exp show` tells."""

import re

from deepfake_ensemble.workflow.experiments import FILES, differences

WORKSPACE = {"Experiment": "", "rev": "workspace", "Created": "", "ensemble.weighting": "accuracy"}
UNIFORM = {"Experiment": "uniform", "rev": "57010ea", "Created": "2026", "ensemble.weighting": "uniform"}


def test_what_differs_has_a_row_and_each_experiment_a_column():
    table = differences([{**WORKSPACE, "seed": "42"}, {**UNIFORM, "seed": "42"}])
    columns = {column.header: list(column.cells) for column in table.columns}
    assert columns == {"": ["ensemble.weighting"], "workspace": ["accuracy"], "uniform": ["uniform"]}


def test_without_a_difference_there_is_no_row():
    assert differences([WORKSPACE, {**WORKSPACE, "rev": "main"}]).row_count == 0


def test_hashes_of_files_are_left_out_and_figures_and_params_kept():
    left_out = [
        name
        for name in (
            "src/deepfake_ensemble/pages",
            "params.yaml",
            "predictions",
            "reports/metrics/internal.json:ensemble.auc",
            "resnet50_random.f1",
            "models.cnn.learning_rate",
        )
        if re.match(FILES, name)
    ]
    assert left_out == ["src/deepfake_ensemble/pages", "params.yaml", "predictions"]
