"""A split that is decoded once: the same batches, from memory or from a file, and nothing decoded twice."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.perturbing.perturbations import PerturbedReader
from deepfake_ensemble.reading.batches import Batches, BatchReader
from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.ensemble.decoded import DecodedReader, cache_decoded
from errors_page import Documented
from pictures import pack

COUNT, SIZE, BATCH, SEED = 150, 24, 8, 42  # more images than are decoded at a time


class Counting(PackedImages):
    read = 0

    def __getitem__(self, position: int) -> bytes:
        self.read += 1
        return super().__getitem__(position)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed") / "train"
    pack(folder, COUNT)
    return folder


@pytest.fixture(params=["memory", "file"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "file" else None


def assert_same(one, other) -> None:
    for ours, theirs in zip(one, other, strict=True):
        assert ours[0].tobytes() == theirs[0].tobytes()
        assert ours[1].tobytes() == theirs[1].tobytes()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_epochs_are_the_other_reader_s(packed: Path, folder: Path | None, threads: int) -> None:
    reader = BatchReader(PackedImages(packed), SIZE, threads=threads)
    kept = DecodedReader(reader, mirrored=True, folder=folder)
    assert (len(kept), kept.size) == (COUNT, SIZE)
    for epoch, first_step in [(0, 0), (1, 5), (7, 18)]:
        assert_same(
            kept.epoch(BATCH, SEED, epoch, first_step), list(reader.epoch(BATCH, SEED, epoch, first_step))
        )


@pytest.mark.parametrize("mirrored", [False, True])
def test_so_are_batches_in_order(packed: Path, folder: Path | None, mirrored: bool) -> None:
    reader = BatchReader(PackedImages(packed), SIZE)
    kept = DecodedReader(reader, mirrored=mirrored, folder=folder)
    assert_same(kept.in_order(7), list(reader.in_order(7)))


def test_the_pixels_are_those_of_each_image(packed: Path, folder: Path | None) -> None:
    images = PackedImages(packed)
    kept = DecodedReader(BatchReader(images, SIZE, "bicubic"), mirrored=True, folder=folder)
    plain, _ = kept.read(np.array([70, 3]))
    mirrored, _ = kept.read(np.array([70, 3]), np.array([True, False]))
    assert np.array_equal(plain[0], pixels(images[70], SIZE, "bicubic"))
    assert np.array_equal(mirrored[0], np.fliplr(plain[0]))
    assert np.array_equal(mirrored[1], plain[1])


def test_no_image_is_decoded_twice(packed: Path, folder: Path | None) -> None:
    images = Counting(packed)
    kept = DecodedReader(BatchReader(images, SIZE, threads=1), mirrored=True, folder=folder)
    for epoch in range(3):
        list(kept.epoch(BATCH, SEED, epoch))
    assert images.read == COUNT


def test_any_reader_s_batches_can_be_kept(packed: Path, folder: Path | None) -> None:
    reader = PerturbedReader(
        PackedImages(packed), SIZE, "bilinear", 2, lambda image, position: image.rotate(position)
    )
    kept = DecodedReader(reader, mirrored=True, folder=folder)
    assert_same(kept.epoch(BATCH, SEED, 0), list(reader.epoch(BATCH, SEED, 0)))


@pytest.mark.parametrize(("spare", "in_a_file"), [(0, False), (-1, True)])
def test_the_budget_decides_between_memory_and_file(
    packed: Path, tmp_path: Path, spare: int, *, in_a_file: bool
) -> None:
    train, validation = (BatchReader(PackedImages(packed), SIZE) for _ in range(2))
    needed = 3 * COUNT * SIZE * SIZE * 3
    readers = cache_decoded(train, validation, needed + spare, tmp_path)
    for ours, theirs in zip(readers, (train, validation), strict=True):
        assert_same(ours.in_order(BATCH), list(theirs.in_order(BATCH)))
    mapped = [is_mapped(reader._kept) for reader in readers]
    assert mapped == [in_a_file, in_a_file]
    assert not list(tmp_path.iterdir()), "a file with a name would stay after a kill"


def is_mapped(array: np.ndarray) -> bool:
    base = array.base
    while base is not None:
        if type(base).__name__ == "mmap":
            return True
        base = getattr(base, "base", None)
    return False


def test_a_disk_without_room_is_named_before_anything_is_decoded(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documented: Documented
) -> None:
    images = Counting(packed)
    reader = BatchReader(images, SIZE)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    scratch = tmp_path / "models/checkpoints/cnn"
    with pytest.raises(UserError) as caught:
        cache_decoded(reader, reader, 0, scratch)
    assert images.read == 0
    documented("Training", "no room on the disk for decoded images", str(caught.value))


class Endless(Batches):
    """More images than any machine has memory for."""

    def __init__(self) -> None:
        super().__init__(np.broadcast_to(np.int64(0), 10**10), 256, threads=1)

    def _fill(self, *batch: np.ndarray) -> None:
        raise AssertionError("an image was decoded")


def test_memory_that_is_not_there_is_named_before_anything_is_decoded(
    tmp_path: Path, documented: Documented
) -> None:
    with pytest.raises(UserError) as caught:
        cache_decoded(Endless(), Endless(), math.inf, tmp_path)
    documented("Training", "no room in memory for decoded images", str(caught.value))


def test_no_image_is_mirrored_where_no_mirror_images_are_kept(packed: Path, folder: Path | None) -> None:
    kept = DecodedReader(BatchReader(PackedImages(packed), SIZE), mirrored=False, folder=folder)
    with pytest.raises(ValueError, match="no mirror images"):
        kept.read(np.array([0, 1]), np.array([False, True]))


LIMITED = """
import resource, signal, sys
from pathlib import Path
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.training.ensemble.decoded import DecodedReader
from deepfake_ensemble.reading.records import PackedImages
reader = BatchReader(PackedImages(Path(sys.argv[1])), int(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    DecodedReader(reader, mirrored=True, folder=Path(sys.argv[3]))
except OSError as error:
    print(error.strerror)
"""


def test_a_file_that_does_not_fit_is_an_error_and_no_hole(packed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(packed), str(SIZE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
