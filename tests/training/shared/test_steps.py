"""A compiled step is handed exactly the reader's batch, in the memory where it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.models import architecture, detector
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.training.shared import steps
from pictures import pack
from tiny_training import SIZE, small

COUNT, BATCH = 20, 8


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    return BatchReader(pack(tmp_path_factory.mktemp("packed") / "train", COUNT), SIZE)


def same(images: Any, labels: Any) -> Any:
    return images, labels


def test_a_step_is_handed_the_reader_s_batches(reader: BatchReader) -> None:
    step = steps.compiled(same, small(), jit_compile=False)
    shapes = []
    for batch in reader.epoch(BATCH, seed=4, epoch=0):
        images, labels = (handed.numpy() for handed in step(batch))
        assert images.dtype == np.uint8 and np.array_equal(images, batch[0])
        assert labels.dtype == np.float32 and np.array_equal(labels, batch[1])
        shapes.append(len(images))
    assert shapes == [8, 8, 4]


def test_a_label_between_real_and_fake_stays_what_it_is(reader: BatchReader) -> None:
    images, _ = reader.read(np.arange(2))
    between = np.array([[0.0625], [0.5]], np.float32)
    _, labels = steps.compiled(same, small(), jit_compile=False)((images, between))
    assert np.array_equal(labels.numpy(), between)


def test_one_graph_serves_batches_of_every_length(reader: BatchReader) -> None:
    traced = []
    step = steps.compiled(lambda images, labels: traced.append(images.shape), small(), jit_compile=False)
    for batch in reader.epoch(BATCH, seed=4, epoch=0):
        step(batch)
    assert [shape.as_list() for shape in traced] == [[None, SIZE, SIZE, 3]]


def test_images_are_not_copied(reader: BatchReader) -> None:
    batch = reader.read(np.arange(3))
    images, _ = steps.tensors(batch)
    before = int(images[2, 0, 0, 0])
    batch[0][2, 0, 0, 0] = 255 - before
    assert int(images[2, 0, 0, 0]) == 255 - before


def test_the_memory_of_a_tensor_is_not_used_again_while_it_lives(tmp_path: Path) -> None:
    reader = BatchReader(pack(tmp_path / "train", COUNT), SIZE)
    images, expected = steps.tensors(reader.read(np.arange(4)))[0], reader.read(np.arange(4))[0].copy()
    for _ in range(3):
        reader.read(np.arange(4, 8))
    assert np.array_equal(images.numpy(), expected)


@pytest.mark.parametrize("offset", [0, 1, 16, 32])
def test_images_may_lie_anywhere_in_memory(offset: int) -> None:
    step = steps.compiled(lambda images, labels: images + np.uint8(1), small(), jit_compile=False)
    memory = np.zeros(2 * SIZE * SIZE * 3 + 2 * steps.ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % steps.ALIGNMENT + offset
    images = memory[start:][: 2 * SIZE * SIZE * 3].reshape(2, SIZE, SIZE, 3)
    images[...] = np.random.default_rng(0).integers(0, 255, images.shape)
    assert np.array_equal(step((images, np.zeros((2, 1), np.int64))).numpy(), images + 1)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_labels_stay_what_they_were_when_they_were_handed_over(reader: BatchReader, dtype: type) -> None:
    images, _ = reader.read(np.arange(3))
    labels = np.array([[1], [0], [1]], dtype)
    _, handed = steps.tensors((images, labels))
    labels[...] = 7
    for _ in range(20):
        steps.tensors((images, labels))
    assert handed.numpy().tolist() == [[1], [0], [1]]


def test_a_step_is_compiled_by_xla() -> None:
    import tensorflow as tf

    step = steps.compiled(same, small(), jit_compile=True)
    images, _ = step((np.ones((2, SIZE, SIZE, 3), np.uint8), np.zeros((2, 1), np.int64)))
    assert tf.reduce_all(images == 1)


def test_who_waits_for_xla_is_told_so_once_for_each_length_of_a_batch(capsys: pytest.CaptureFixture) -> None:
    step = steps.compiled(same, small(), jit_compile=True)
    for length in (2, 1, 2, 1):
        step((np.ones((length, SIZE, SIZE, 3), np.uint8), np.zeros((length, 1), np.int64)))
    begun = [line for line in capsys.readouterr().out.splitlines() if line.endswith("with XLA…")]
    assert begun == [f"small: compiling a step of {length} images with XLA…" for length in (2, 1)]


@pytest.mark.networks
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["cnn", "resnet50", "xception", "efficientnet_b4"])
def test_xla_compiles_a_step_of_every_network_and_two_give_the_same_weights(name: str) -> None:
    import keras

    from deepfake_ensemble.training.shared.adam import adam

    keras.utils.set_random_seed(0)
    registered = architecture.find(name)
    network: Any = params.read(f"models.{name}.network", registered.network)
    model = detector.build(name, registered, image_size=64, input_scaling="unit", network=network)
    optimizer = adam(1e-4)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "binary_crossentropy", jit_compile=False)
    state = [*model.variables, *optimizer.variables]
    start, before = [variable.numpy() for variable in state], model.get_weights()
    # Compiled once: that takes all of the time.
    step = steps.compiled(lambda *both: model.train_step(both), model, jit_compile=True)
    batch = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8), np.array([[0], [1]])

    def trained() -> list[Any]:
        for variable, value in zip(state, start, strict=True):
            variable.assign(value)
        assert np.isfinite(float(step(batch)["loss"]))
        return model.get_weights()

    once, again = trained(), trained()
    assert all(np.array_equal(one, other) for one, other in zip(once, again, strict=True))
    assert any((new != old).any() for new, old in zip(once, before, strict=True))
