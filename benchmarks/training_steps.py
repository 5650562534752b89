"""Training steps of one detector on a batch that is already in memory, timed one by one."""

import time
from typing import Any

from deepfake_ensemble.foundation import params
from deepfake_ensemble.models import architecture, detector
from deepfake_ensemble.training.recipe import Adaptation

BATCH = 32  # training.batch_size as the paper has it


def timed(
    name: str, optimizer: Any, size: int, steps: int, adaptation: Adaptation
) -> tuple[float, list[float]]:
    """Return the seconds of the first step, where TensorFlow traces the network, and of each later one."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    registered = architecture.find(name)
    network: Any = params.read(f"models.{name}.network", registered.network)
    built = detector.build(name, registered, image_size=size, input_scaling="unit", network=network)
    if adaptation.batch_norm_momentum is not None:
        detector.set_batch_norm_momentum(built, adaptation.batch_norm_momentum)
    optimizer.build(built.trainable_variables)
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
    built.compile(optimizer, "binary_crossentropy", metrics=[accuracy], jit_compile=adaptation.jit_compile)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    labels = np.arange(BATCH)[:, None] % 2
    batches = iter(tf.data.Dataset.from_tensors((images, labels)).repeat())
    built.make_train_function()
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        float(built.train_function(batches)["loss"])
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1:]
