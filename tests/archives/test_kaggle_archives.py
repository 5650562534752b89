"""Stand-ins are laid out as the publishers' archives, no file twice, and each run writes the same bytes."""

import hashlib
import io
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

import kaggle_archives
from deepfake_ensemble.archives.archive import open_archive
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.fetching import zipped
from pictures import encoded, picture

SHARE = 0.002


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [encoded(picture(seed, 32, 32)) for seed in range(10)]


def written(path: Path, layout: str, files: list[bytes]) -> Path:
    entries = {"faces": kaggle_archives.faces, "cifake": kaggle_archives.cifake}[layout]
    zipped.write(path, entries(kaggle_archives.distinct(files), SHARE))
    return path


@pytest.mark.parametrize(("layout", "count"), [("faces", 280), ("cifake", 240)])
def test_the_layout_is_the_publisher_s_and_half_of_each_part_is_fake(
    layout: str, count: int, files: list[bytes], tmp_path: Path
):
    expected = LAYOUTS[layout]
    with open_archive(written(tmp_path / "set.zip", layout, files)) as archive:
        assert expected.problem(archive.names) is None
        places = Counter(place for name in archive.names if (place := expected.place(name)))
        labels = {
            name: expected.table_labels(archive.read(name)) for name in expected.tables_in(archive.names)
        }
    assert places.total() == count
    for part in expected.partitions:
        assert len({places[place] for place in places if place.partition == part}) == 1
    for table in labels.values():
        assert all(expected.place(name).label == label for name, label in table.items())  # type: ignore[union-attr]


def test_at_full_size_there_are_as_many_images_as_kaggle_has():
    assert 2 * sum(kaggle_archives.FACES.values()) == 140_000
    assert 2 * sum(kaggle_archives.CIFAKE.values()) == 120_000


def test_no_two_files_are_the_same_and_their_pictures_repeat(files: list[bytes]):
    drawn = list(islice(kaggle_archives.distinct([*files, files[0]]), 25))
    assert len({hashlib.sha256(file).hexdigest() for file in drawn}) == 25
    first, again = (Image.open(io.BytesIO(drawn[i])) for i in (3, 14))
    assert first.tobytes() == again.tobytes()
    assert first.size == (32, 32)


def test_the_same_bytes_every_time(files: list[bytes], tmp_path: Path):
    one, other = (written(tmp_path / name, "faces", files).read_bytes() for name in ("one.zip", "other.zip"))
    assert one == other
