"""docs/performance.md: a section for each benchmark that has measured something."""

import re
from pathlib import Path

import pytest

import performance_page


def test_the_page_has_a_section_for_each_file_there_is(tmp_path: Path) -> None:
    assert list(performance_page.sections(tmp_path)) == []
    (tmp_path / "reading_memory.json").write_text(
        '{"machine": {"cpu": "A processor", "cores": 2, "memory_gib": 8.0}, "images": {"10":'
        ' {"packed_bytes": 1, "images_per_second": 2.0, "peak_mib": 3.0}}}'
    )
    (section,) = performance_page.sections(tmp_path)
    assert section.startswith("## Memory of reading\n\n`python benchmarks/reading_memory.py` on A processor")


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
