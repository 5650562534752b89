"""A detector of the second study: a registered network, its stem, its initial weights, its connections."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.models import architecture, detector
from deepfake_ensemble.training.residual import surgery
from deepfake_ensemble.training.residual.settings import TRANSFORMS, Connections, Model, Stem, Symmetry

if TYPE_CHECKING:
    import keras


def build(
    name: str,
    settings: Model,
    network: Any,
    *,
    image_size: int,
    stem: Stem,
    published: Path | None = None,
) -> "keras.Model":
    """Build a detector as the network's authors have it, but for the stem: see `models/detector.py`.

    Args:
        name: of the architecture.
        settings: its section of params.yaml.
        network: the part of it that is the architecture's own.
        image_size: in pixels.
        stem: as published, or one that does not shrink the image.
        published: the file of its published weights; None for random ones (seed Keras first).
    """
    registered = architecture.find(name)

    def backbone(size: int, its: Any, weights: Path | None) -> "keras.Model":
        whole = registered.backbone(size, its, weights)
        return surgery.with_small_stem(whole) if stem == "small" else whole

    return detector.build(
        name,
        replace(registered, backbone=backbone),
        image_size=image_size,
        input_scaling=settings.input_scaling,
        network=network,
        imagenet_weights=published,
    )


def with_connections(whole: "keras.Model", connections: Connections) -> "keras.Model":
    """Return a detector with its residual connections, or without; its weights stay the ones that it has."""
    if connections == "kept":
        return whole
    return _with_backbone(whole, surgery.with_connections(whole.get_layer("backbone"), connections))


def _with_backbone(whole: "keras.Model", backbone: "keras.Model") -> "keras.Model":
    """Return a detector of the same layers with another backbone."""
    import keras

    return keras.models.clone_model(
        whole,
        clone_function=lambda layer: layer,
        call_function=lambda layer, *inputs, **options: (backbone if layer.name == "backbone" else layer)(
            *inputs, **options
        ),
    )


def with_test_time_augmentation(trained: "keras.Model", symmetry: Symmetry) -> "keras.Model":
    """Return a model whose answer is the mean of another's over the turns of an image."""
    import keras

    if symmetry == "none":
        return trained
    image = keras.Input(trained.input_shape[1:], name="image", dtype="float32")
    answers = []
    for transpose, upside_down, mirror in TRANSFORMS[symmetry]:
        x = keras.ops.transpose(image, (0, 2, 1, 3)) if transpose else image
        axes = [axis for axis, flipped in ((1, upside_down), (2, mirror)) if flipped]
        answers.append(trained(keras.ops.flip(x, axis=axes) if axes else x))
    mean = keras.layers.Average(name="mean", dtype="float32")(answers)
    return keras.Model(image, mean, name=trained.name)
