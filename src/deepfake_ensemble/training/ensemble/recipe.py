"""The training protocol of table 3.3, as params.yaml holds it."""

from dataclasses import replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from deepfake_ensemble.foundation.section import ImageSize, section
from deepfake_ensemble.models.architecture import Architecture


@section
class Recipe:
    """The section `training`: what is the same for every model (Adam and binary cross-entropy are fixed)."""

    epochs: Annotated[int, Ge(1)]
    batch_size: Annotated[int, Ge(1)]
    accumulation: Annotated[int, Ge(1)]
    validation_batch_size: Annotated[int, Ge(1)]
    early_stopping_patience: Annotated[int, Ge(1)]


@section
class Decoded:
    """The section `decoded`, which no stage tracks: it decides no result."""

    memory_gib: Annotated[float, Ge(0)]


@section
class LearningRateMultiplier:
    """Times a model's learning rate.

    Attributes:
        own: where the study, too, trains from random weights.
        transferred: where the study fine-tunes ImageNet weights.
    """

    own: Annotated[float, Gt(0)]
    transferred: Annotated[float, Gt(0)]

    def of(self, architecture: Architecture) -> float:
        """Return the one that applies to an architecture."""
        return self.own if architecture.imagenet is None else self.transferred


@section
class Cosine:
    """The section `profiles.NAME.training.cosine`: a rate that falls to 0, in place of early stopping.

    Attributes:
        epochs: in place of the protocol's.
        warm_up: the share of steps in which it rises from 0; then it falls in half a cosine wave.
    """

    epochs: Annotated[int, Ge(1)]
    warm_up: Annotated[float, Ge(0), Lt(1)]


@section
class ProfileTraining:
    """The section `profiles.NAME.training`: what depends on the initial weights and the machine.

    Attributes:
        epochs_at_most: if fewer than the protocol's; null leaves it at those.
        cosine: null for the protocol's constant learning rate and early stopping.
        crop: side of the random crops that are trained on, in pixels; null trains on whole images.
        weight_decay: of kernels, times the learning rate; 0 for the protocol's Adam.
        learning_rate_multiplier: few steps from random weights must be larger ones.
        batch_norm_momentum: of the running averages; null keeps what each network has.
        precision: of the arithmetic; the mixed ones are for GPUs, mixed_bfloat16 also for processors with
            instructions for it.
        jit_compile: let XLA compile the steps of training and validation; for GPUs.
        optimize_graph: let TensorFlow rewrite the graph before it runs.
        cache: decode an image whenever it is needed, or once and keep all pixels.
    """

    epochs_at_most: Annotated[int, Ge(1)] | None
    cosine: Cosine | None
    crop: ImageSize | None
    weight_decay: Annotated[float, Ge(0)]
    learning_rate_multiplier: LearningRateMultiplier
    batch_norm_momentum: Annotated[float, Gt(0), Lt(1)] | None
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    jit_compile: bool
    optimize_graph: bool
    cache: Literal["none", "decoded"]

    def adapted(self, recipe: Recipe) -> Recipe:
        """Return the protocol with the profile's epochs; where the rate falls to 0, none stops early."""
        epochs = self.cosine.epochs if self.cosine else recipe.epochs
        epochs = min(epochs, self.epochs_at_most or epochs)
        patience = epochs if self.cosine else recipe.early_stopping_patience
        return replace(recipe, epochs=epochs, early_stopping_patience=patience)
