"""Ways to read training batches from JPEG files: ours, and those that people would otherwise run.

Each makes a function that reads so many epochs, shuffled and half of the images mirrored, in batches of 32,
and drops them; it returns how many images it has seen. All start from the same files, of the size wanted.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from deepfake_ensemble.reading.batches import Batches, BatchReader
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.ensemble.decoded import DecodedReader
from training_steps import BATCH

SEED = 42
Read = Callable[[int], int]


def libjpeg_turbo_alone(folder: Path, size: int, threads: int) -> Read:
    """Decode and do nothing else: from memory, into the memory of one image, again and again."""
    images = PackedImages(folder / "packed")
    files = [images[i] for i in range(len(images))]

    def work(part: list[bytes], epochs: int) -> None:
        pixels = np.empty((size, size, 3), np.uint8)
        for _ in range(epochs):
            for file in part:
                simplejpeg.decode_jpeg(file, "RGB", buffer=pixels)

    def read(epochs: int) -> int:
        workers = [
            threading.Thread(target=work, args=(files[number::threads], epochs)) for number in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return epochs * len(files)

    return read


def ours(folder: Path, size: int, threads: int) -> Read:
    return as_in_fit(BatchReader(PackedImages(folder / "packed"), size, threads=threads))


def ours_decoded_in_memory(folder: Path, size: int, threads: int) -> Read:
    reader = BatchReader(PackedImages(folder / "packed"), size, threads=threads)
    return as_in_fit(DecodedReader(reader, mirrored=True))


def ours_decoded_in_a_file(folder: Path, size: int, threads: int) -> Read:
    reader = BatchReader(PackedImages(folder / "packed"), size, threads=threads)
    return as_in_fit(DecodedReader(reader, mirrored=True, folder=folder))


def as_in_fit(reader: Batches) -> Read:
    """Read as `fit` does, up to the tensors that a training step is handed."""
    from deepfake_ensemble.training.shared import steps

    return lambda epochs: _count(
        steps.tensors(batch)[0] for epoch in range(epochs) for batch in reader.epoch(BATCH, SEED, epoch)
    )


def image_data_generator(folder: Path, size: int, threads: int) -> Read:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    batches = ImageDataGenerator(horizontal_flip=True).flow_from_directory(
        folder / "files", target_size=(size, size), batch_size=BATCH, class_mode="binary", seed=SEED
    )
    return lambda epochs: _count(batches[i][0] for _ in range(epochs) for i in range(len(batches)))


def image_dataset_from_directory(folder: Path, size: int, threads: int) -> Read:
    import keras
    import tensorflow as tf

    batches = keras.utils.image_dataset_from_directory(
        folder / "files",
        label_mode="binary",
        batch_size=BATCH,
        image_size=(size, size),
        seed=SEED,
        verbose=False,
    )
    mirrored = batches.map(
        lambda images, labels: (tf.image.random_flip_left_right(images), labels), tf.data.AUTOTUNE
    )
    return lambda epochs: _count(images for images, _ in mirrored.repeat(epochs).prefetch(tf.data.AUTOTUNE))


def tf_data(folder: Path, size: int, threads: int) -> Read:
    """The shards of TFRecords that the pipeline packs, read, shuffled, decoded and mirrored by TensorFlow."""
    import tensorflow as tf

    images = PackedImages(folder / "packed")
    shards = sorted(str(file) for file in (folder / "packed").glob("*.tfrecord"))

    def decoded(file: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_jpeg(file, 3, dct_method="INTEGER_ACCURATE")
        pixels = tf.image.random_flip_left_right(pixels)
        return tf.ensure_shape(pixels, (size, size, 3)), label

    records = tf.data.Dataset.zip(
        tf.data.TFRecordDataset(shards), tf.data.Dataset.from_tensor_slices(images.labels)
    )
    batches = records.shuffle(len(images), SEED).map(decoded, tf.data.AUTOTUNE).batch(BATCH)
    return lambda epochs: _count(images for images, _ in batches.repeat(epochs).prefetch(tf.data.AUTOTUNE))


def _count(batches: Iterable[Any]) -> int:
    return sum(int(images.shape[0]) for images in batches)


LOADERS: dict[str, Callable[[Path, int, int], Read]] = {
    "libjpeg-turbo alone": libjpeg_turbo_alone,
    "ours": ours,
    "ours, `cache: decoded`, in memory": ours_decoded_in_memory,
    "ours, `cache: decoded`, in a file": ours_decoded_in_a_file,
    "Keras' ImageDataGenerator": image_data_generator,
    "Keras' image_dataset_from_directory": image_dataset_from_directory,
    "tf.data on our TFRecords": tf_data,
}
