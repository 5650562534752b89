"""docs/statistics.md shows what the coverage of the intervals was computed to be."""

from pathlib import Path

import pytest

import interval_coverage as coverage
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.workflow import generated

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    page = ROOT / coverage.PAGE
    text = page.read_text(encoding="utf-8")
    made = coverage.parts(read_json(ROOT / coverage.FILE))
    assert generated.filled(text, made, page) == text, "run `python benchmarks/interval_coverage.py --page`"


def test_what_was_computed_is_so_and_enough() -> None:
    measured = read_json(ROOT / coverage.FILE)
    assert measured["shares"] == [pytest.approx(each) for each in coverage.of_shares()]
    for each in measured["shares"]:
        enough = 0.93 if each["n"] * (1 - each["p"]) >= 1 - 1e-9 else 0.90
        assert each["wilson"] >= enough, each
    assert min(measured["simulated"].values()) >= 0.93


@pytest.mark.networks
def test_the_simulations_give_the_same_again() -> None:
    assert coverage.simulated() == pytest.approx(read_json(ROOT / coverage.FILE)["simulated"], abs=0.003)
