"""How large the gradient is at each layer before the first update, with residual connections and without."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from deepfake_ensemble.reading.batches import Batch


@dataclass(frozen=True)
class Norms:
    """Euclidean norms of the loss's gradient, by convolution from the input to the output.

    Attributes:
        layers: the convolutions; projections of shortcuts, which only connections have, are left out.
        norms: of their kernels' gradients.
    """

    layers: list[str]
    norms: list[float]

    @property
    def reach(self) -> float:
        """The first convolution's as a share of the last one's: how much of it comes through."""
        return self.norms[0] / self.norms[-1]


@dataclass(frozen=True)
class Gradients:
    """What reports/gradients.json holds.

    Attributes:
        images: of which the loss is the mean.
        with_connections: by run.
        without: by the same run's network without connections, which has the same weights.
    """

    images: int
    with_connections: dict[str, Norms]
    without: dict[str, Norms]


def norms(detector: "keras.Model", batch: "Batch") -> Norms:
    """Return those of the mean binary cross-entropy over a batch, computed as in training.

    Args:
        detector: a ResNet's, with the weights that a training starts from.
        batch: images (n, size, size, 3) and labels (n, 1).
    """
    import keras
    import tensorflow as tf

    backbone = detector.get_layer("backbone")
    kernels = {
        layer.name: layer.kernel
        for layer in backbone.layers
        if isinstance(layer, keras.layers.Conv2D) and not layer.name.endswith("_0_conv")
    }
    images, labels = batch
    with tf.GradientTape() as tape:
        loss = keras.losses.BinaryCrossentropy()(labels, detector(images, training=True))
    found = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
    return Norms(list(kernels), [float(f"{float(tf.norm(each)):.6g}") for each in found])
