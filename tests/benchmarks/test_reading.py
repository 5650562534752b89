"""The benchmarks of reading: every loader reads whole epochs, and the pages show what was measured."""

import re
from pathlib import Path

import pytest

import feeding
import performance_page
import reading
import reading_memory
from deepfake_ensemble.data.reading import batches
from loaders import LOADERS, installed
from pictures import encoded, picture

COUNT, SIZE = 70, 32
HERE = {"machine": {"cpu": "A processor", "cores": 2, "memory_gib": 8.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laid out")
    reading.lay_out(folder, [encoded(picture(i, SIZE, SIZE)) for i in range(8)], COUNT)
    return folder


@pytest.mark.parametrize("name", installed())
def test_every_loader_reads_whole_epochs_again_and_again(name: str, folder: Path) -> None:
    read = LOADERS[name](folder, SIZE, 2)
    assert [read(1), read(3)] == [COUNT, 3 * COUNT]


@pytest.mark.parametrize("quality", reading.QUALITIES)
def test_pictures_are_always_the_same_and_of_the_sizes_wanted(
    quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "DISTINCT", 12)
    files = reading.pictures(quality)
    assert files == reading.pictures(quality)
    assert len(set(files)) == 12
    assert all(12_000 <= len(file) <= 30_000 for file in files)


def test_steps_of_fit_and_bare_steps_take_turns() -> None:
    taken = []

    def step(batch):
        taken.append(batch)
        return {"loss": 1.0}

    turns = feeding.Turns(step, "bare", repeats=3, least=0)
    with pytest.raises(feeding.Enough):
        for _ in range(100):
            turns("fit")
    assert taken == 2 * ["bare"] + 3 * ["bare", "bare", "fit", "fit", "fit", "fit"]
    assert {kind: len(seconds) for kind, seconds in turns.seconds.items()} == {"bare": 3, "fit": 3}


def test_steps_on_what_was_read_meanwhile_do_not_count() -> None:
    assert feeding.AHEAD == batches.AHEAD


def cells(page: str, first: str) -> list[str]:
    """Return what stands behind the first cell in its row of the page's table."""
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines())
    (row,) = (row[1:] for row in rows if row[0] == first)
    return row


def test_the_page_of_reading_shows_each_rate_and_its_ratios() -> None:
    rates = {"libjpeg-turbo alone": [200.0, 210.0, 190.0], "ours": [180.0, 160.0, 170.0]}
    of = {"bytes": {"smallest": 12_000, "median": 20_000, "largest": 30_000}, "rates": rates}
    results = {
        **HERE,
        "cores": 2,
        "images": 4096,
        "repeats": 3,
        "absent": ["PyTorch's"],
        "qualities": {"95": of},
    }
    page = reading.page(results)
    assert cells(page, "libjpeg-turbo alone") == ["200 (190–210)", "1.00", "0.85"]
    assert cells(page, "ours") == ["170 (160–180)", "0.85", "1.00"]
    assert "Not installed, so not measured: PyTorch's." in page


def test_the_page_of_memory_shows_growth() -> None:
    of = {"packed_bytes": 10**9, "images_per_second": 1000.0}
    images = {"14000": {**of, "peak_mib": 500.0}, "140000": {**of, "peak_mib": 520.0}}
    page = reading_memory.page({**HERE, "images": images})
    assert cells(page, "140,000") == ["1.00", "520", "1.04", "1,000"]


def test_the_page_of_feeding_shows_the_ratio_of_each_turn() -> None:
    found = {"cnn": {"bare": [0.1, 0.2, 0.1], "fit": [0.1, 0.25, 0.1]}}
    page = feeding.page({**HERE, "repeats": 3, "settings": {"40:decoded": found}})
    assert cells(page, "cnn") == [
        "40×40, `cache: decoded`",
        "100.0 (100.0–200.0)",
        "100.0 (100.0–250.0)",
        "1.000 (0.800–1.000)",
    ]


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
