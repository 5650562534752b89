"""A training that takes a second, with all that can go wrong in a long one."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepfake_ensemble.models import detector
from deepfake_ensemble.models.architecture import Architecture
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.training.ensemble import fitting
from deepfake_ensemble.training.ensemble.recipe import Recipe
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Curves

SIZE, SEED, LEARNING_RATE = 32, 4, 3e-3
RECIPE = Recipe(epochs=2, batch_size=8, accumulation=1, validation_batch_size=5, early_stopping_patience=2)


def small(size: int = SIZE, *, pooled: bool = False) -> Any:
    """Return a detector with all that can go wrong in training (dropout, averages, a penalty), but quick.

    Args:
        size: of its images, in pixels.
        pooled: whether its weights are the same for images of any size.
    """
    import keras
    from keras import layers

    def backbone(image_size: int, network: Any, weights: Path | None) -> keras.Model:
        image = keras.Input((image_size, image_size, 3))
        x = layers.Conv2D(4, 3, strides=4, activation="tanh")(image)
        x = layers.BatchNormalization(momentum=0.5)(x)
        x = layers.GlobalAveragePooling2D()(x) if pooled else layers.Flatten()(x)
        x = layers.Dropout(0.3)(x)
        x = layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.001))(x)
        return keras.Model(image, x, name="backbone")

    keras.utils.set_random_seed(3)
    architecture = Architecture(network=dict, backbone=backbone)
    return detector.build("small", architecture, image_size=size, input_scaling="unit", network=None)


def fit(
    model: Any,
    train: BatchReader,
    validation: BatchReader,
    scratch: Path,
    recipe: Recipe = RECIPE,
    **options: Any,
) -> Curves:
    options = {"learning_rate": LEARNING_RATE, "jit_compile": False, "seed": SEED} | options
    save_every, follow = options.pop("save_every", math.inf), options.pop("follow", unfollowed)
    learner = options.pop("learner", None)
    checkpoint = Checkpoint(scratch, {"recipe": asdict(recipe), "options": options}, save_every)
    return fitting.fit(
        model,
        train,
        validation,
        recipe=recipe,
        checkpoint=checkpoint,
        follow=follow,
        learner=learner,
        **options,
    )


def unfollowed(step: int, figures: Mapping[str, float]) -> None:
    pass


def changed(**keys: int) -> Recipe:
    return Recipe(**({name: getattr(RECIPE, name) for name in RECIPE.__dataclass_fields__} | keys))
