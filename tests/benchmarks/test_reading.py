"""The benchmarks of reading: every loader reads whole epochs, and the pages show what was measured."""

from pathlib import Path

import pytest

import reading
import stand_ins
from loaders import LOADERS
from measured_pages import HERE, cells
from pictures import encoded, picture

COUNT, SIZE = 70, 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laid out")
    reading.lay_out(folder, [encoded(picture(i, SIZE, SIZE)) for i in range(8)], COUNT)
    return folder


@pytest.mark.parametrize("name", LOADERS)
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


def test_the_page_of_reading_shows_each_rate_and_its_ratios() -> None:
    rates = {"libjpeg-turbo alone": [200.0, 210.0, 190.0], "ours": [180.0, 160.0, 170.0]}
    of = {"bytes": {"smallest": 12_000, "median": 20_000, "largest": 30_000}, "rates": rates}
    results = {
        **HERE,
        "cores": 2,
        "images": 4096,
        "repeats": 3,
        "qualities": {"95": of},
    }
    page = reading.page(results)
    assert cells(page, "libjpeg-turbo alone") == ["200 (190–210)", "1.00", "0.85"]
    assert cells(page, "ours") == ["170 (160–180)", "0.85", "1.00"]


def test_each_way_reads_in_a_process_of_its_own(folder: Path) -> None:
    rates = reading.measured(folder, ["ours"], repeats=2, cores=1, least=1e-6)
    assert rates.keys() == {"ours"} and len(rates["ours"]) == 2


def test_stand_ins_are_the_same_every_time() -> None:
    assert stand_ins.pictures(32, 75, 10) == stand_ins.pictures(32, 75, 10)
