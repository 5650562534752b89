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
    (tmp_path / "tiny.json").write_text(json.dumps({"figures": figures}))
    lines = markdown.lines(seeds.parts(tmp_path)["tiny"])
    assert "| detector | seed 42 | seed 43 | mean | sd | a gain must beat |" in lines
    assert "| Custom CNN | 0.800 | 0.900 | 0.850 | 0.071 | 0.196 |" in lines
    assert "| ensemble less best member | 0.020 | 0.020 | 0.020 | 0.000 | 0.000 |" in lines
