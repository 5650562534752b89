"""Training steps of one detector on a batch that is already in memory, timed one by one."""

import time
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.foundation import params
from deepfake_ensemble.models import architecture, detector
from deepfake_ensemble.training.ensemble.recipe import ProfileTraining

if TYPE_CHECKING:
    import keras

BATCH = 32  # training.batch_size as the paper has it


def built(name: str, size: int) -> "keras.Model":
    """Return a detector as params.yaml describes its network, with random weights."""
    registered = architecture.find(name)
    network: Any = params.read(f"models.{name}.network", registered.network)
    return detector.build(name, registered, image_size=size, input_scaling="unit", network=network)


def started(precision: str | None = None) -> ProfileTraining:
    """Start TensorFlow as the active profile trains, or with another precision; return its settings."""
    from deepfake_ensemble.models import session

    adaptation = params.read(f"{params.active_profile()}.training", ProfileTraining)
    session.start(0, precision or adaptation.precision, adaptation.optimize_graph)
    return adaptation


class Training:
    """Steps of a detector on one batch, over and over; the same arguments give the same weights."""

    def __init__(self, name: str, size: int, adaptation: ProfileTraining) -> None:
        import keras
        import numpy as np

        from deepfake_ensemble.training.shared.adam import adam
        from deepfake_ensemble.training.shared.steps import compiled

        keras.utils.set_random_seed(0)
        self.model = model = built(name, size)
        if adaptation.batch_norm_momentum is not None:
            detector.set_batch_norm_momentum(model, adaptation.batch_norm_momentum)
        optimizer = adam(1e-4)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
        self._step = compiled(
            lambda *batch: model.train_step(batch), model, jit_compile=adaptation.jit_compile
        )
        images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
        self._batch = images, np.arange(BATCH)[:, None] % 2

    def steps(self, count: int) -> list[float]:
        """Take so many steps and return the seconds of each; in the very first one the network is traced."""
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            float(self._step(self._batch)["loss"])
            seconds.append(time.perf_counter() - start)
        return seconds
