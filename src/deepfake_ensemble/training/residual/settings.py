"""What of the second study may vary, as its params.yaml holds it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

from deepfake_ensemble.foundation.section import ImageSize, section
from deepfake_ensemble.models.architecture import InitialWeights, InputScaling

MEASURED = Path("measured")  # what differs from run to run, as times do; in no commit

# Which residual connections a network has: all of them, none, or all but the first of each stage.
Connections = Literal["kept", "removed", "one_a_stage_removed"]
# How gradients change the weights; muon is for convolutions' kernels, with adamw for everything else.
Optimizer = Literal["adamw", "muon"]
# How the learning rate falls.
Shape = Literal["linear", "cosine", "constant"]
# A network's first layers: as published, or such that they do not shrink the image.
Stem = Literal["imagenet", "small"]
# Transforms of a square image: none; mirrored; also upside down, four in all; also transposed, eight in all.
Symmetry = Literal["none", "mirror", "rectangle", "square"]
# Of each symmetry, its transforms: whether an image is transposed, turned upside down, mirrored sideways.
# None of them moves the borders of JPEG's blocks of 8 pixels in an image whose sides they divide. Transposing
# exchanges the quantisation of horizontal and of vertical frequencies, which JPEG's tables treat differently.
Transform = tuple[bool, bool, bool]
TRANSFORMS: dict[Symmetry, tuple[Transform, ...]] = {
    "none": ((False, False, False),),
    "mirror": ((False, False, False), (False, False, True)),
    "rectangle": tuple((False, bool(n & 2), bool(n & 1)) for n in range(4)),
    "square": tuple((bool(n & 4), bool(n & 2), bool(n & 1)) for n in range(8)),
}
Share = Annotated[float, Gt(0), Le(1)]
Count = Annotated[int, Ge(1)]


@section
class Model:
    """The section `models.NAME`; `network` is read by the architecture's own dataclass."""

    input_scaling: InputScaling
    network: dict[str, Any]


@section
class Recipe:
    """The section `recipes.NAME`: how a network is trained.

    Attributes:
        epochs: passes over the training split.
        batch_size: images of which one gradient is computed.
        accumulation: so many gradients are averaged before the weights are updated.
        optimizer: what changes the weights.
        learning_rate: the highest.
        fine_tuning: whether that is meant for fine-tuning, so that the profile's multiplier applies to it.
        schedule: how it rises and falls.
        warm_up: the share of updates in which it rises.
        weight_decay: times the learning rate, on everything but biases and normalisation.
        label_smoothing: labels become l (1 - s) + s / 2.
        crop_scale: the least and the greatest share of an image's area that is cut out and scaled up; null:
            none.
        cut_mix: the share of images that get a part of another one, and of its label as much.
        symmetry: the transforms of which each image gets one at random; mirror is the paper's flip.
        mean_over: the transforms of an image over which the finished model's answer is the mean.
    """

    epochs: Count
    batch_size: Count
    accumulation: Count
    optimizer: Optimizer
    learning_rate: Annotated[float, Gt(0)]
    fine_tuning: bool
    schedule: Shape
    warm_up: Annotated[float, Ge(0), Lt(1)]
    weight_decay: Annotated[float, Ge(0)]
    label_smoothing: Annotated[float, Ge(0), Lt(1)]
    crop_scale: Annotated[list[Share], Len(2, 2)] | None
    cut_mix: Annotated[float, Ge(0), Le(1)]
    symmetry: Symmetry
    mean_over: Symmetry


@section
class Run:
    """The section `runs.WEIGHTS.NAME`: one network, trained once."""

    model: str
    connections: Connections
    recipe: str


@section
class Runs:
    """The section `runs`, by what they start from."""

    imagenet: dict[str, Run]
    random: dict[str, Run]

    def weights(self, name: str) -> InitialWeights:
        """Return what a run starts from."""
        return "imagenet" if name in self.imagenet else "random"

    @property
    def all(self) -> dict[str, Run]:
        """All runs by their names, in the order of params.yaml."""
        return self.imagenet | self.random


@section
class ProfileRun:
    """The section `profiles.NAME.runs.RUN`: how much of a run a profile does.

    Attributes:
        epochs: null for as many as the recipe says, 0 to leave the run out.
        stem: of the network.
        image_size: of its input, in pixels, where that is not the profile's.
    """

    epochs: Annotated[int, Ge(0)] | None
    stem: Stem
    image_size: ImageSize | None = None


@section
class LearningRateMultiplier:
    """Times a recipe's learning rate, by the initial weights."""

    random: Annotated[float, Gt(0)]
    imagenet: Annotated[float, Gt(0)]

    def of(self, weights: InitialWeights) -> float:
        """Return the one that applies to what a run starts from."""
        return self.imagenet if weights == "imagenet" else self.random


@section
class ProfileTraining:
    """The section `profiles.NAME.training`: what depends on the size of a run and on the machine.

    Attributes:
        learning_rate_multiplier: of recipes for fine-tuning.
        batch_norm_momentum: of the running averages; null keeps what each network has.
        record_every: batches after which learning rate and training loss are recorded.
        evaluate_every: steps after which the network is scored on validation.
        checkpoint_every: steps after which a scored network may become the one that is kept.
        step: what counts as a step: a batch, or an update of the weights.
        precision: of the arithmetic; the mixed one is for GPUs, and processors with instructions for it.
        jit_compile: let XLA compile the training step; for GPUs.
    """

    learning_rate_multiplier: LearningRateMultiplier
    batch_norm_momentum: Annotated[float, Gt(0), Lt(1)] | None
    record_every: Count
    evaluate_every: Count
    checkpoint_every: Count
    step: Literal["batch", "update"]
    precision: Literal["float32", "mixed_bfloat16"]
    jit_compile: bool


def why_left_out(weights: InitialWeights, profile_run: ProfileRun, imagenet: bool) -> str | None:
    """Return why a profile leaves a run out; None if it does not.

    Args:
        weights: what the run starts from.
        profile_run: how much of it the profile does.
        imagenet: whether the profile fetches ImageNet weights.
    """
    if weights == "imagenet" and not imagenet:
        return "it starts from ImageNet weights, which this profile does not fetch"
    return "this profile leaves it out" if profile_run.epochs == 0 else None
