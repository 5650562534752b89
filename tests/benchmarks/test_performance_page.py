"""docs/performance.md: a section for each benchmark that has measured something."""

import json
import re
from pathlib import Path

import pytest

import performance_page
from measured_pages import HERE, cells


def test_the_page_has_a_section_for_each_file_there_is(tmp_path: Path) -> None:
    assert list(performance_page.sections(tmp_path)) == []
    (tmp_path / "turnaround.json").write_text(
        json.dumps(HERE | {"seconds": {"`dvc status`": [1.0, 2.0, 3.0]}})
    )
    (section,) = performance_page.sections(tmp_path)
    assert section.startswith("## Waiting for a result\n\n`python benchmarks/turnaround.py` on A processor")
    assert cells(section, "`dvc status`") == ["2.00 (1.00–3.00)"]


def test_every_benchmark_of_the_page_is_run_by_make_bench() -> None:
    makefile = (Path(performance_page.__file__).parents[1] / "Makefile").read_text()
    (line,) = re.findall(r"\tfor name in (.*); do \\\n.*benchmarks/\$\$name", makefile.replace("@", ""))
    assert [*line.split(), "use"] == list(performance_page.SECTIONS)


def test_the_page_has_the_cost_of_the_study_with_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(performance_page.__file__).parents[1])
    section = performance_page.cost_of_the_study()
    assert "Profile `paper`: 100,000 training images of 256 pixels" in section
    for text in ("A100", "V100", "GPU memory", "Disk:", "Network:", "<https://"):
        assert text in section
