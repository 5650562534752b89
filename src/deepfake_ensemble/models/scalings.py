"""How published networks were shown ImageNet's images; who fine-tunes their weights does the same."""

from deepfake_ensemble.models.architecture import Scaling

# Caffe's, and so that of Keras' conversions of it: blue, green, red, each less its mean.
CAFFE = Scaling(scale=(1.0, 1.0, 1.0), offset=(-103.939, -116.779, -123.68), channels="bgr")

# PyTorch's: pixels of 0 to 1, less their means, divided by their standard deviations.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCH = Scaling(
    scale=tuple(1 / (255 * deviation) for deviation in _DEVIATION),  # type: ignore[arg-type]
    offset=tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),  # type: ignore[arg-type]
)
