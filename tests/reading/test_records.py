"""Packed images come back byte for byte, TensorFlow reads the same shards, and damage has a name."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.records import PackedImages
from errors_page import Documented

CONTENTS = [b"", b"a", bytes(range(256)), b"\0" * 90, b"JPEG" * 9, b"x", b"last"]
IMAGES = [(f"faces/{i}, or so.jpg", i % 2, content) for i, content in enumerate(CONTENTS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven records in shards of three."""
    records.write(tmp_path, iter(IMAGES), len(IMAGES), 3)
    return tmp_path


def refusal(folder: Path) -> str:
    """Return what a reader of all images is told."""
    with pytest.raises(UserError) as caught:
        images = PackedImages(folder)
        _ = [images[i] for i in range(len(images))]
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    assert "dvc repro" in message
    return message


def test_everything_comes_back_in_order(folder: Path) -> None:
    images = PackedImages(folder)
    assert len(images) == len(IMAGES)
    assert list(images.paths) == [path for path, _, _ in IMAGES]
    assert images.labels.tolist() == [label for _, label, _ in IMAGES]
    assert images.labels.dtype == np.int64
    assert [images[i] for i in range(len(images))] == CONTENTS


def test_images_can_be_reached_in_any_order_and_again(folder: Path) -> None:
    images = PackedImages(folder)
    for position in [6, 0, 3, 3, 1, 6, 5]:
        assert images[position] == CONTENTS[position]
    with pytest.raises(IndexError):
        images[len(CONTENTS)]


def test_shards_are_full_but_the_last_and_named_by_their_number(folder: Path) -> None:
    with (folder / records.INDEX).open(newline="") as file:
        rows = list(csv.DictReader(file))
    shards = ["00000-of-00003.tfrecord", "00001-of-00003.tfrecord", "00002-of-00003.tfrecord"]
    assert [row["shard"] for row in rows] == [shards[i // 3] for i in range(7)]
    assert sorted(file.name for file in folder.iterdir()) == [*shards, "index.csv"]
    for row, content in zip(rows, CONTENTS, strict=True):
        data = (folder / row["shard"]).read_bytes()
        assert data[int(row["offset"]) : int(row["offset"]) + int(row["length"])] == content


@pytest.mark.parametrize("per_shard", [1, 2, 6, 7, 8, 1000])
def test_tensorflow_reads_the_same_bytes_in_the_same_order(tmp_path: Path, per_shard: int) -> None:
    import tensorflow as tf

    records.write(tmp_path, iter(IMAGES), len(IMAGES), per_shard)
    shards = sorted(str(file) for file in tmp_path.glob("*.tfrecord"))
    assert len(shards) == -(-len(IMAGES) // per_shard)
    assert list(tf.data.TFRecordDataset(shards).as_numpy_iterator()) == CONTENTS
    images = PackedImages(tmp_path)
    assert [images[i] for i in range(len(images))] == CONTENTS


def test_the_same_images_give_the_same_files(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    records.write(again, iter(IMAGES), len(IMAGES), 3)
    for file in again.iterdir():
        assert file.read_bytes() == (folder / file.name).read_bytes()


READING = """
import resource, sys
from pathlib import Path
from deepfake_ensemble.reading.records import PackedImages
images = PackedImages(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = sum(len(images[i]) for i in range(len(images)))
print(total, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_reading_a_split_takes_no_memory_for_it(tmp_path: Path) -> None:
    # A split of the study takes gigabytes.
    data = bytes(2**20)
    records.write(tmp_path, ((f"{i}.jpg", 0, data) for i in range(100)), 100, 50)
    command = [sys.executable, "-c", READING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read, mebibytes = map(int, done.stdout.split())
    assert read == 100 * 2**20
    assert mebibytes < 20


def test_shards_are_closed_with_the_last_reference(folder: Path) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    images = PackedImages(folder)
    assert len(list(descriptors.iterdir())) == before + 3
    del images
    assert len(list(descriptors.iterdir())) == before


FEW_FILES = """
import resource, sys
from pathlib import Path
from deepfake_ensemble.reading.records import PackedImages
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
PackedImages(Path(sys.argv[1]))
"""


def test_more_shards_than_files_may_be_open_name_the_key_to_change(
    tmp_path: Path, documented: Documented
) -> None:
    records.write(tmp_path, ((f"{i}.jpg", 0, b"a") for i in range(20)), 20, 1)
    command = [sys.executable, "-c", FEW_FILES, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    kind, _, line = done.stderr.splitlines()[-1].partition(": ")
    assert kind.endswith("UserError")
    documented("Training", "more packed shards than files may be open", line, varying={r"\d{5}(?=-of)": "…"})


def test_no_flipped_bit_goes_unnoticed_and_the_image_is_named(folder: Path) -> None:
    for shard in sorted(folder.glob("*.tfrecord")):
        whole = shard.read_bytes()
        for position in range(len(whole)):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << position % 8
            shard.write_bytes(flipped)
            message = refusal(folder)
            assert message.startswith(f"{shard}: damaged at faces/")
        shard.write_bytes(whole)


def test_only_the_damaged_image_is_refused(folder: Path) -> None:
    shard = folder / "00000-of-00003.tfrecord"
    data = bytearray(shard.read_bytes())
    data[-10] ^= 1  # in the data of the third image
    shard.write_bytes(data)
    images = PackedImages(folder)
    assert images[1] == CONTENTS[1]
    with pytest.raises(UserError, match=r"damaged at faces/2, or so\.jpg"):
        images[2]


def test_what_was_read_once_is_read_again_without_its_check_sums(folder: Path) -> None:
    images = PackedImages(folder)
    assert [images[i] for i in range(7)] == CONTENTS
    shard = folder / "00001-of-00003.tfrecord"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1  # of the check sum of the sixth image
    shard.write_bytes(data)
    assert [images[i] for i in range(7)] == CONTENTS
    with pytest.raises(UserError, match=r"damaged at faces/5, or so\.jpg"):
        PackedImages(folder)[5]


def test_a_shard_that_is_cut_off_while_it_is_read_is_refused(folder: Path) -> None:
    images = PackedImages(folder)
    assert images[5] == CONTENTS[5]
    shard = folder / "00001-of-00003.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"damaged at faces/5, or so\.jpg"):
        images[5]


def test_a_shard_cut_off_anywhere_is_refused(folder: Path) -> None:
    shard = folder / "00001-of-00003.tfrecord"
    whole = shard.read_bytes()
    for length in range(len(whole)):
        shard.write_bytes(whole[:length])
        what = "shorter than index.csv says" if length else "missing or empty"
        assert refusal(folder).startswith(f"{shard}: {what}")


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "00002-of-00003.tfrecord").unlink()
    assert refusal(folder).startswith(f"{folder / '00002-of-00003.tfrecord'}: missing or empty")


def test_swapped_shards_are_noticed(folder: Path) -> None:
    first, second = folder / "00000-of-00003.tfrecord", folder / "00001-of-00003.tfrecord"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert ".tfrecord: " in refusal(folder)


def test_a_missing_index_says_how_to_get_one(folder: Path) -> None:
    (folder / "index.csv").unlink()
    message = refusal(folder)
    assert message.startswith(f"{folder / 'index.csv'}: missing")
    assert "dvc pull" in message


def test_a_missing_folder_is_a_missing_index(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere' / 'index.csv'}: missing")


HEADER = "path,label,shard,offset,length\n"
SHARD = "00000-of-00003.tfrecord"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        HEADER,
        "path,label,sha256\na.jpg,1,00\n",
        f"{HEADER}a.jpg,1,{SHARD},12\n",
        f"{HEADER}a.jpg,1,{SHARD},12,0,0\n",
        f"{HEADER}a.jpg,real,{SHARD},12,0\n",
        f"{HEADER}a.jpg,2,{SHARD},12,0\n",
        f"{HEADER}a.jpg,1,{SHARD},twelve,0\n",
        f"{HEADER}a.jpg,1,{SHARD},12,1.5\n",
        f"{HEADER}a.jpg,1,{SHARD},-12,0\n",
        f"{HEADER}a.jpg,1,{SHARD},0,4\n",
        f"{HEADER}a.jpg,1,{SHARD},40,-8\n",
        f"{HEADER}a.jpg,1,{SHARD},{2**63 - 9},4\n",
        f"{HEADER}a.jpg,1,{SHARD},{2**80},4\n",
        f"{HEADER}a.jpg,1,../{SHARD},12,0\n",
        f"{HEADER}a.jpg,1,/etc/hostname,12,0\n",
        f"{HEADER}\n",
        HEADER + "a" * 200_000 + f",1,{SHARD},12,0\n",
    ],
)
def test_a_foreign_index_is_refused(folder: Path, content: str) -> None:
    (folder / "index.csv").write_text(content)
    assert refusal(folder).startswith(f"{folder / 'index.csv'}: not an index of packed images")


def test_an_index_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "index.csv").write_bytes(bytes(range(256)))
    assert "not an index of packed images" in refusal(folder)


@pytest.mark.parametrize("shard", ["", ".."])
def test_an_index_that_names_a_folder_is_refused(folder: Path, shard: str) -> None:
    (folder / "index.csv").write_text(f"{HEADER}a.jpg,1,{shard},12,0\n")
    refusal(folder)


@pytest.mark.parametrize(("offset", "length"), [(12, 1), (13, 0), (28, 2), (29, 1)])
def test_an_index_of_other_shards_is_noticed(folder: Path, offset: int, length: int) -> None:
    (folder / "index.csv").write_text(f"{HEADER}a.jpg,1,{SHARD},{offset},{length}\n")
    assert refusal(folder).startswith(f"{folder / SHARD}: damaged at a.jpg")
