"""What benchmarks share: a process for each measurement, and files that keep their other parts."""

import os
from pathlib import Path

import pytest

import harness


def test_a_measurement_has_a_process_of_its_own() -> None:
    assert harness.alone(os.getpid) not in (os.getpid(), harness.alone(os.getpid))


def test_what_went_wrong_there_is_raised_here() -> None:
    with pytest.raises(ValueError, match="seven"):
        harness.alone(int, "seven")


def test_figures_are_kept_beside_those_of_other_parts_with_where_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "measurements/some.json"
    harness.keep(file, {"cold": [1.0]})
    harness.keep(file, {"files": [2.0]})
    found = harness.kept(file)
    assert (found["cold"], found["files"], found["machine"]["cores"]) == ([1.0], [2.0], os.cpu_count())


def test_parts_of_other_machines_keep_theirs(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    harness.keep(file, {"step": 1.0}, part="gpu")
    harness.keep(file, {"step": 2.0}, part="processor")
    found = harness.kept(file)
    assert found.keys() == {"gpu", "processor"}
    assert found["gpu"]["step"] == 1.0 and "machine" in found["gpu"]


@pytest.mark.parametrize(("values", "told"), [([2.0], "2.0"), ([3.0, 1.0, 2.0], "2.0 (1.0–3.0)")])
def test_of_several_figures_the_median_is_told_with_the_extremes(values: list[float], told: str) -> None:
    assert harness.of_several(values) == told
