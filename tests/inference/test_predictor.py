"""Predicting: the same probabilities in any batches, one graph for all, and nothing lost on disk."""

from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.evaluation import predictions
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.inference import predictor as predicting
from deepfake_ensemble.inference.predictor import Predictor
from deepfake_ensemble.reading.batches import BatchReader
from networks import SIZE, STUDY, build, shared
from pictures import pack

COUNT = 70


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    return BatchReader(pack(tmp_path_factory.mktemp("packed") / "test", COUNT, per_shard=50), SIZE)


def quiet(count: int) -> None:
    """Tell nobody how far it is."""


@pytest.mark.parametrize("name", STUDY)
def test_one_by_one_gives_what_batches_of_64_give(name: str, reader: BatchReader) -> None:
    # The study predicts with batches of one (table in section 3.2.3); ours are larger.
    count = COUNT if name == "cnn" else 8
    predictor = Predictor(shared(name))
    together = predictor.predict([reader.read(np.arange(count))], quiet)
    alone = predictor.predict((reader.read(np.array([i])) for i in range(count)), quiet)
    assert together.shape == alone.shape == (count,)
    assert np.ptp(together) > 0
    assert np.abs(together - alone).max() <= 1e-5


def test_probabilities_come_in_the_split_s_order(reader: BatchReader) -> None:
    p_fake = Predictor(shared("cnn")).predict(reader.in_order(64), quiet)
    images, _ = reader.read(np.arange(COUNT))
    expected = np.asarray(shared("cnn")(images))[:, 0]
    assert p_fake.dtype == np.float32
    assert np.allclose(p_fake, expected, rtol=0, atol=1e-6)
    assert len(set(p_fake.tolist())) > COUNT / 2  # so another order would show


def test_the_graph_is_traced_once_for_all_splits_and_last_batches(reader: BatchReader) -> None:
    predictor = Predictor(shared("cnn"))
    for batch_size in (64, 16, 1):
        predictor.predict(reader.in_order(batch_size), quiet)
    assert predictor._run.experimental_get_tracing_count() == 1


def test_dropout_and_batch_statistics_are_off(reader: BatchReader) -> None:
    predictor = Predictor(shared("cnn"))
    once = predictor.predict(reader.in_order(64), quiet)
    assert np.array_equal(once, predictor.predict(reader.in_order(64), quiet))


def test_progress_counts_images(reader: BatchReader) -> None:
    counted: list[int] = []
    Predictor(shared("cnn")).predict(reader.in_order(32), counted.append)
    assert counted == [32, 32, 6]


def test_a_detector_that_gives_no_number_is_named(reader: BatchReader) -> None:
    model = build("cnn")
    weights = model.get_weights()
    weights[-1][:] = np.nan
    model.set_weights(weights)
    with pytest.raises(UserError, match=r"^cnn: gives nan for image 1 of the split; ") as caught:
        Predictor(model).predict(reader.in_order(64), quiet)
    assert "\n" not in str(caught.value)


AWKWARD = [
    0.0,
    1.0,
    0.5,
    0.1,
    1 / 3,
    1e-8,
    1e-30,
    1 - 2**-24,
    2**-149,
    np.nextafter(np.float32(0.5), np.float32(1)),
]


def test_written_probabilities_are_read_back_bit_by_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    p_fake = np.concatenate([np.array(AWKWARD, np.float32), rng.random(2000).astype(np.float32)])
    labels = np.arange(len(p_fake)) % 2
    paths = [f'train/fake/ä, "{i}".jpg' for i in range(len(p_fake))]
    predicting.write(tmp_path / "cnn" / "test.csv", paths, labels, p_fake)
    table = predictions.read(tmp_path / "cnn" / "test.csv")
    assert list(table.paths) == paths
    assert np.array_equal(table.labels, labels)
    assert table.p_fake.astype(np.float32).tobytes() == p_fake.tobytes()


def test_a_table_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    predicting.write(tmp_path / "test.csv", ["a.jpg"], np.array([1]), np.array([0.1], np.float32))
    assert (tmp_path / "test.csv").read_bytes() == b"path,label,p_fake\na.jpg,1,0.1\n"


def test_a_table_of_unequal_columns_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        predicting.write(
            tmp_path / "test.csv", ["a.jpg", "b.jpg"], np.array([1]), np.array([0.1], np.float32)
        )
    assert list(tmp_path.iterdir()) == []
