"""MTCNN's three networks in NumPy, small as they are, with the weights that the package `mtcnn` carries.

Zhang, Zhang, Li & Qiao 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks". The package runs them by TensorFlow, which using a model file does not need; here only its files
are read. They are pickles, which could run anything: each is loaded once its digest is as expected.
"""

import hashlib
import io
from collections.abc import Sequence
from functools import cache, reduce
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError

Array = NDArray[np.float32]

PACKAGE = "mtcnn"
_INSTALL = f"`pip install --force-reinstall {PACKAGE}==1.0.0` brings them, and --faces whole does without"
_SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


def proposals(images: Array) -> tuple[Array, Array]:
    """Look at every window of 12 pixels, in steps of 2 (P-Net).

    Args:
        images: (n, height, width, 3), as `normalised` returns them.

    Returns:
        How likely each window is a face (n, rows, columns), and how far the face's edges lie from its own, in
        window sides: left, top, right, bottom (n, rows, columns, 4).
    """
    x, (edges, edge_bias, face, face_bias) = _convolutions(images, _weights("pnet"), pools=(2, 0, 0))
    return _second(x @ face[0, 0] + face_bias), x @ edges[0, 0] + edge_bias


def refined(images: Array) -> tuple[Array, Array]:
    """Say of windows brought to 24 pixels how likely each is a face, and where its edges lie (R-Net).

    Args:
        images: (n, 24, 24, 3).

    Returns:
        (n,) and (n, 4), as `proposals`.
    """
    x, (edges, edge_bias, face, face_bias) = _dense(*_convolutions(images, _weights("rnet"), pools=(3, 3, 0)))
    return _second(x @ face + face_bias), x @ edges + edge_bias


def landmarks(images: Array) -> tuple[Array, Array, Array]:
    """Say the same of windows brought to 48 pixels, and where eyes, nose and mouth lie (O-Net).

    Args:
        images: (n, 48, 48, 3).

    Returns:
        (n,), (n, 4), and (n, 5, 2): x and y, in window sides from its left and top, of the eye on the left,
        the eye on the right, the tip of the nose, the mouth's left and its right corner.
    """
    x, (edges, edge_bias, points, point_bias, face, face_bias) = _dense(
        *_convolutions(images, _weights("onet"), pools=(3, 3, 2, 0))
    )
    places = (x @ points + point_bias).reshape(-1, 2, 5).swapaxes(1, 2)
    return _second(x @ face + face_bias), x @ edges + edge_bias, places


def normalised(pixels: NDArray[np.uint8]) -> Array:
    """Bring pixels of 0-255 to the range the networks were trained on."""
    return (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(128)


def _convolutions(x: Array, weights: Sequence[Array], pools: Sequence[int]) -> tuple[Array, Sequence[Array]]:
    """Apply a convolution, a PReLU and a pooling for each of `pools`, and return what weights are left, too.

    Args:
        x: (n, height, width, channels).
        weights: of the network: kernel, bias and slope of each convolution come first.
        pools: sizes of the poolings; 0 for none.
    """
    for pool in pools:
        (kernel, bias, slope), weights = weights[:3], weights[3:]
        windows = np.concatenate(_shifted(x, kernel.shape[:2]), axis=-1)
        x = _prelu(windows @ kernel.reshape(-1, kernel.shape[-1]) + bias, slope)
        if pool:
            x = _pooled(x, pool)
    return x, weights


def _dense(x: Array, weights: Sequence[Array]) -> tuple[Array, Sequence[Array]]:
    flat = x.swapaxes(1, 2).reshape(len(x), len(weights[0]))  # column by column: so were they trained
    return _prelu(flat @ weights[0] + weights[1], weights[2]), weights[3:]


def _prelu(x: Array, slope: Array) -> Array:
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def _pooled(x: Array, size: int) -> Array:
    """Return the maxima of windows in steps of 2; the last ones may reach over the edge."""
    beyond = [(0, 0), *((0, -(side - size) % 2) for side in x.shape[1:3]), (0, 0)]
    padded = np.pad(x, beyond, constant_values=-np.inf)
    return reduce(np.maximum, (each[:, ::2, ::2] for each in _shifted(padded, (size, size))))


def _shifted(x: Array, window: tuple[int, int]) -> list[Array]:
    """Return, for each place in a window, what stands there as the window moves over an image."""
    rows, columns = x.shape[1] - window[0] + 1, x.shape[2] - window[1] + 1
    return [x[:, i : i + rows, j : j + columns] for i in range(window[0]) for j in range(window[1])]


def _second(logits: Array) -> Array:
    """Return the softmax's second of two."""
    return 1 / (1 + np.exp(logits[..., 0] - logits[..., 1]))


@cache
def _weights(network: str) -> Sequence[Array]:
    import joblib

    try:
        # Not imported: the package would import TensorFlow.
        folder = metadata.distribution(PACKAGE).locate_file("mtcnn/assets/weights")
        data = Path(str(folder), f"{network}.lz4").read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        raise UserError(f"finding faces needs the weights in {PACKAGE}; {_INSTALL}") from None
    if hashlib.sha256(data).hexdigest() != _SHA256[network]:
        raise UserError(f"{folder}: {network}.lz4 holds other weights than are known; {_INSTALL}")
    return joblib.load(io.BytesIO(data))
