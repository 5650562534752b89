"""What the tests of training are fed."""

import pytest

from deepfake_ensemble.reading.batches import BatchReader
from pictures import pack
from tiny_training import SIZE


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    return BatchReader(pack(tmp_path_factory.mktemp("packed") / "train", 20), SIZE)


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    """Images of the training split, so that the loss falls from the start."""
    return BatchReader(pack(tmp_path_factory.mktemp("packed") / "val", 12), SIZE)
