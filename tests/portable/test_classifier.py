"""The model file opened: how many images it is given at once."""

from pathlib import Path

import model_file
from deepfake_ensemble.portable.classifier import Classifier, batch_size


def test_of_large_images_a_processor_is_given_few_at_once_and_a_gpu_as_many_as_of_small_ones():
    sizes = (40, 128, 224, 256, 1024)
    assert [batch_size(size, on_gpu=False) for size in sizes] == [32, 32, 10, 8, 1]
    assert {batch_size(size, on_gpu=True) for size in sizes} == {32}


def test_an_open_model_file_knows_how_many(tmp_path: Path):
    classifier = Classifier(model_file.write(tmp_path / "ensemble.onnx"))
    assert classifier.batch_size == batch_size(model_file.SIZE, on_gpu=False)
