"""Grad-CAM (Selvaraju et al. 2017): where in an image a detector finds what speaks for a class."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.foundation.errors import UserError

if TYPE_CHECKING:
    import keras

_OPACITY = 0.65  # of the hottest spot of a map that is laid over its image


class GradCam:
    """Explains one detector as `models.detector` builds it."""

    def __init__(self, detector: "keras.Model") -> None:
        import keras

        backbone = detector.get_layer("backbone")
        maps = _last_maps(backbone).output
        self._scaled = keras.Model(detector.input, detector.get_layer("scaling").output)
        # In two, because only the second needs gradients, and with them all its activations at once.
        self._to_maps = keras.Model(backbone.input, maps)
        self._to_features = keras.Model(maps, backbone.output)
        self._p_fake = detector.get_layer("p_fake")

    def maps(self, images: NDArray[np.uint8], towards_fake: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return heat maps (n, height, width) from 0 to 1, as large as the last feature maps.

        Args:
            images: (n, size, size, 3) of 0-255.
            towards_fake: (n,) whether the heat speaks for fake or for real.

        The score that is explained is the logit and not the probability, whose gradient vanishes where the
        detector is sure. Feature maps are weighted by their mean gradient, summed, and cut off at zero
        (equations 1 and 2); each image's map is then divided by its maximum. A map without heat stays 0.
        """
        import tensorflow as tf

        sign = tf.where(tf.constant(towards_fake), 1.0, -1.0)[:, None]
        maps = self._to_maps(self._scaled(tf.cast(images, tf.float32)), training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(maps)
            features = self._to_features(maps, training=False)
            logit = tf.cast(features, tf.float32) @ self._p_fake.kernel + self._p_fake.bias
            score = tf.reduce_sum(sign * logit)
        gradient = tf.cast(tape.gradient(score, maps), tf.float32).numpy()
        weights = gradient.mean(axis=(1, 2), keepdims=True)
        heat = np.maximum((weights * tf.cast(maps, tf.float32).numpy()).sum(axis=3), 0)
        return _peak_at_one(heat)


def of_ensemble(heat: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    """Return the members' maps (n, size, size) added up by their weights, each divided by its maximum.

    Args:
        heat: each member's maps.
        weights: each member's in the ensemble.

    Returns:
        (n, size, size), from 0 to 1.
    """
    return _peak_at_one(np.sum([weight * heat[model] for model, weight in weights.items()], axis=0))


def enlarged(heat: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return maps (n, height, width) at size x size pixels, bilinearly.

    Args:
        heat: (n, height, width).
        size: in pixels.
    """
    images = [Image.fromarray(each).resize((size, size), Image.Resampling.BILINEAR) for each in heat]
    return np.stack([np.asarray(image) for image in images])


def overlaid(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an image (size, size, 3) in grey, with its heat map (size, size) from 0 to 1 laid over it.

    Args:
        pixels: (size, size, 3), 0 to 255.
        heat: (size, size), 0 to 1.
    """
    import matplotlib as mpl

    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)[:, :, None]
    colours = 255 * mpl.colormaps["inferno"](np.rint(255 * heat).astype(np.uint8))[:, :, :3]
    opacity = _OPACITY * heat[:, :, None]
    return np.rint((1 - opacity) * grey + opacity * colours).astype(np.uint8)


def _peak_at_one(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    peak = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, peak, out=np.zeros_like(heat), where=peak > 0)


def _last_maps(backbone: "keras.Model") -> "keras.layers.Layer":
    """Return the last layer that gives feature maps, before what only thins them out."""
    import keras

    thinning = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, keras.layers.Dropout)
    for layer in reversed(backbone.layers):
        if len(layer.output.shape) == 4 and not isinstance(layer, thinning):
            return layer
    raise UserError(f"{backbone.name}: has no layer with feature maps, which Grad-CAM needs")
