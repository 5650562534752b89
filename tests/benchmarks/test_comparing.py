"""The benchmark of the stage `compare`: it runs the stage itself, and the page says of how much."""

from pathlib import Path

import pytest

import comparing
from clones import ROOT
from measured_pages import HERE


def test_the_stage_itself_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = comparing.measured(["cnn", "xception"], images=200, validation=100, repeats=2)
    assert len(found["seconds"]) == len(found["scipy_seconds"]) == 2
    assert min(found["seconds"]) > 0 and found["peak_mib"] > 10
    assert (found["models"], found["data_sets"]) == (["cnn", "xception"], ["internal", "cifake"])


def test_what_is_invented_is_what_the_stage_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    comparing.invented(tmp_path, ["cnn", "xception"], images=40, validation=20)
    comparing.alone(comparing.compared, str(tmp_path))
    assert (tmp_path / "reports/comparison/internal.json").exists()
    assert (tmp_path / "reports/comparison/drop/cifake.json").exists()


def test_the_page_says_of_how_much_the_stage_was_measured() -> None:
    results = HERE | {
        "models": ["cnn", "xception"],
        "data_sets": ["internal", "cifake"],
        "images": 20_000,
        "validation": 10_000,
        "resamples": 2000,
        "seconds": [11.0, 12.0, 10.0],
        "peak_mib": 1023,
        "scipy_seconds": [0.2],
    }
    page = comparing.page(results)
    assert "2 models and their ensemble, of 20,000 images in each of\n2 data sets" in page
    assert "the drop from `internal` to the other." in page
    assert page.splitlines()[-1] == "| 11.0 (10.0–12.0) | 1,023 | 0.20 |"
