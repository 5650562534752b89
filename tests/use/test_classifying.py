"""Many images classified: how many the networks see at once, and how many are decoded ahead of them."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import model_file
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.use.classifying import classified_parts, classify, decode
from deepfake_ensemble.use.inputs import Input
from pictures import encoded, picture


class Watched(Classifier):
    """Takes so many images at once, and keeps how many it was given each time."""

    def __init__(self, path: Path, batch_size: int) -> None:
        super().__init__(path)
        self.batch_size = batch_size
        self.given: list[int] = []

    def _run(self, images, names):
        self.given.append(len(images))
        return super()._run(images, names)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_file.write(tmp_path_factory.mktemp("classifying") / "ensemble.onnx")


def pictures(count: int) -> list[Input]:
    return [Input(str(seed), lambda seed=seed: encoded(picture(seed))) for seed in range(count)]


@pytest.mark.parametrize(("size", "given"), [(1, [1] * 12), (5, [5, 5, 2]), (32, [12])])
@pytest.mark.parametrize("detectors", [None, ["cnn"]], ids=["all", "one"])
def test_the_networks_see_as_many_images_at_once_as_the_classifier_is_best_given(
    model, size, given, detectors
):
    classifier = Watched(model, size)
    found = list(classify(classifier, pictures(12), detectors))
    assert [each.image.name for each in found] == [str(number) for number in range(12)]
    assert classifier.given == given
    shown = [decode(each.name, each.read(), classifier.metadata)[0] for each in pictures(12)]
    expected = model_file.p_fake(np.stack([each.pixels for each in shown]))["cnn"]
    assert [each.p_fake["cnn"] for each in found] == pytest.approx(expected, abs=1e-6)
    classifier.given.clear()
    classified_parts(classifier, shown, detectors)
    assert classifier.given == given


def test_every_thread_decodes_even_if_the_networks_see_one_image_at_once(model, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    all_at_it = threading.Barrier(8, timeout=60)  # fewer would wait for the others in vain

    def read() -> bytes:
        all_at_it.wait()
        return encoded(picture(1))

    found = list(classify(Watched(model, 1), [Input(str(number), read) for number in range(16)]))
    assert len(found) == 16


@pytest.mark.parametrize("size", [1, 32])
def test_of_any_number_of_images_few_are_held(model, size):
    taken = 0

    def inputs() -> Iterator[Input]:
        nonlocal taken
        for each in pictures(200):
            taken += 1
            yield each

    for told, _ in enumerate(classify(Watched(model, size), inputs())):
        assert taken - told <= 64
    assert taken == 200
