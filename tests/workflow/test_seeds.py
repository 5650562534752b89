"""docs/seeds.md is written from what repeated trainings left."""

import json
from pathlib import Path

import markdown
from deepfake_ensemble.workflow import generated, seeds

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    page = ROOT / seeds.PAGE
    text = page.read_text(encoding="utf-8")
    assert generated.filled(text, seeds.parts(ROOT / seeds.MEASUREMENTS), page) == text, (
        "run `python -m deepfake_ensemble.workflow.seeds --page`"
    )


def test_each_seed_has_its_column_and_the_gain_its_row(tmp_path: Path) -> None:
    figures = {
        seed: {
            "internal": {
                "cnn": {"accuracy": cnn, "auc": cnn},
                "ensemble": {"accuracy": cnn + 0.02, "auc": cnn + 0.02},
            }
        }
        for seed, cnn in (("42", 0.8), ("43", 0.9))
    }
    rivals = {seed: {"internal": {"accuracy": "cnn", "auc": "cnn"}} for seed in figures}
    gain = {"mean": {"value": 0.02, "ci_low": -0.01, "ci_high": 0.05}, "of_seeds": 0.25, "of_images": 0.75}
    gains = {"internal": {"accuracy": gain, "auc": gain}}
    (tmp_path / "tiny.json").write_text(json.dumps({"figures": figures, "rivals": rivals, "gains": gains}))
    lines = markdown.lines(seeds.parts(tmp_path)["tiny"])
    assert "| detector | seed 42 | seed 43 | mean | sd | two differ by less than |" in lines
    assert "| Custom CNN | 0.800 | 0.900 | 0.850 (0.215 to 1.485) | 0.071 | 1.271 |" in lines
    best = "| ensemble less best member by validation | 0.020 | 0.020 | 0.020"
    assert any(line.startswith(best) for line in lines)
    assert (
        "Over other seeds and other images the ensemble's accuracy less that of the best member by validation"
        " is 0.020 (-0.010 to 0.050); of the variance 25% come of the seeds, 75% of the images."
    ) in lines


def test_a_gain_in_log_loss_is_told_as_the_difference_in_the_table_above_it() -> None:
    gain = {"mean": {"value": -0.103, "ci_low": -0.234, "ci_high": 0.027}, "of_seeds": 1.0, "of_images": 0.0}
    assert " validation is 0.103 (-0.027 to 0.234);" in seeds._together(gain, "log_loss")
    assert " validation is -0.103 (-0.234 to 0.027);" in seeds._together(gain, "auc")


def test_where_the_images_part_was_estimated_at_0_no_shares_are_told() -> None:
    gain = {"mean": {"value": 0.1, "ci_low": 0.0, "ci_high": 0.2}, "of_seeds": 1.0, "of_images": 0.0}
    assert seeds._together(gain, "auc").endswith(
        " 0.100 (0.000 to 0.200); the images' part of the variance was estimated at 0, so that this is of the"
        " seeds alone."
    )


def test_no_figure_but_0_is_shown_as_0() -> None:
    assert [seeds._shown(value) for value in (0.0, -0.0004, 0.00012, 0.9996)] == [
        "0.000",
        "-0.0004",
        "0.0001",
        "1.000",
    ]


def test_of_runs_whose_validation_was_not_kept_no_gain_is_told(tmp_path: Path) -> None:
    figures = {seed: {"internal": {"cnn": {"accuracy": 0.8}, "ensemble": {"accuracy": 0.9}}} for seed in "12"}
    (tmp_path / "tiny.json").write_text(json.dumps({"figures": figures}))
    assert "less best member" not in seeds.parts(tmp_path)["tiny"]
