"""What a run of the active profile would cost, before anyone rents a machine: `make estimate`.

What there is to do, and what its results take of the disk, is what `make plan` says. Times on GPUs follow
from images a second that others have published for the networks; times and memory on processors from what
benchmarks/training_cost.py measured and from the measured run of the sample. All of it is arithmetic: a rate
is taken to fall with the number of pixels, and nothing is known of it where none was published or measured.
A T4's step is taken to be no shorter than the one that was measured on a larger GPU, most of which is the
launching of its operations.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.filesize import decimal

from deepfake_ensemble.fetching.published import PACKAGE
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.common import plan
from deepfake_ensemble.studies.common.planning import Step, ask_dvc, disk
from deepfake_ensemble.studies.ensemble.params import CHECK, Params
from deepfake_ensemble.studies.ensemble.plan import PLAN, perturbed, training
from deepfake_ensemble.workflow.generated import table

MEASURED = Path("docs/measurements/training_cost.json")
ON_GPU = Path("docs/measurements/precision.json")
SAMPLE = Path("docs/measurements/sample.json")
GPUS = ("A100", "V100", "T4")
PRECISIONS = ("float32", "mixed")  # float32 on an A100 is TensorFloat-32, as TensorFlow takes it by default
_CONV_NETS = "https://github.com/NVIDIA/DeepLearningExamples/tree/master/{}"
SOURCES = {
    "ResNet50": _CONV_NETS.format("TensorFlow/Classification/ConvNets/resnet50v1.5"),
    "EfficientNet-B4": _CONV_NETS.format("TensorFlow2/Classification/ConvNets/efficientnet_v1"),
    "Xception and VGG16 relative to ResNet50": "https://github.com/huggingface/pytorch-image-models/blob/main/"
    "results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv",
}


Rates = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Published:
    """Images a second and milliseconds for a single image, each by GPU and precision as in GPUS, PRECISIONS.

    Attributes:
        size: side of the images in pixels.
        trained: images a second in training, with XLA and batches of 64 to 256.
        predicted: images a second in prediction, batches of 32 or 64, without XLA.
        alone: milliseconds of a prediction of one image: what no step falls below, however small its images.
    """

    size: int
    trained: Rates
    predicted: Rates
    alone: Rates

    def relative(self, factor: float, size: int) -> "Published":
        """Return the rates of a network that does `factor` times as many images, of `size` pixels."""

        def scaled(rates: Any) -> Any:
            return tuple(tuple(rate * factor for rate in of_gpu) for of_gpu in rates)

        return Published(
            size=size, trained=scaled(self.trained), predicted=scaled(self.predicted), alone=self.alone
        )


# Of a T4 the page on ResNet50 has predictions only. The rest is taken to be to a V100's as these are.
_PREDICTED_V100, _PREDICTED_T4 = (1252.0, 2706.0), (424.0, 991.0)
_ALONE_V100, _ALONE_T4 = (5.79, 4.25), (7.34, 4.77)


def _with_t4(rates: Rates, v100: tuple[float, float], t4: tuple[float, float]) -> Rates:
    """Return rates of an A100 and a V100 with a T4's, which are to the V100's as `t4` to `v100`."""
    float32, mixed = (rate * its / other for rate, its, other in zip(rates[-1], t4, v100, strict=True))
    return (*rates, (float32, mixed))


_RESNET50 = Published(
    size=224,
    trained=_with_t4(((909, 2375), (412, 1270)), _PREDICTED_V100, _PREDICTED_T4),
    predicted=((1794, 3570), _PREDICTED_V100, _PREDICTED_T4),
    alone=((5.26, 4.51), _ALONE_V100, _ALONE_T4),
)
_RESNET50_RTX_3090, _XCEPTION_RTX_3090, _VGG16_RTX_3090 = 1218.0, 497.6, 546.1
# The CNN is VGG's kind of network, and no one has published its rate: it is taken from VGG16's by the values
# that the convolutions of both put out (13.5 million at 224 pixels, 7.9 million at 256). By multiply-adds
# (15.3 and 3.4 thousand million) it would be two and a half times as fast.
_CNN_VALUES, _VGG16_VALUES = 7.86e6, 13.55e6
PUBLISHED: Mapping[str, Published] = {
    "cnn": _RESNET50.relative(_VGG16_RTX_3090 / _RESNET50_RTX_3090 * _VGG16_VALUES / _CNN_VALUES, 256),
    "resnet50": _RESNET50,
    "xception": _RESNET50.relative(_XCEPTION_RTX_3090 / _RESNET50_RTX_3090, 299),
    "efficientnet_b4": Published(
        size=380,
        trained=_with_t4(((165, 470), (79, 211)), _PREDICTED_V100, _PREDICTED_T4),
        predicted=_with_t4(((715, 972), (372, 805)), _PREDICTED_V100, _PREDICTED_T4),
        alone=_with_t4(((16.5, 16.3), (20.4, 18.0)), _ALONE_V100, _ALONE_T4),
    ),
}
# What the published trainings have and ours have not, as the same pages tell it of ResNet50 on an A100: hours
# with and without XLA; images a second at batches of 256 and of 32.
WITHOUT_XLA = 47 / 40
SMALL_BATCHES = 1912 / 1602
# A training step is about three predictions: forwards, and backwards by values and by weights.
PASSES = 3
CORES = 8  # of a machine with such a GPU, if nothing else is said
PACKAGES_BYTES = 3.0e9  # .venv, about; CUDA's libraries come on top
IMAGENET_BYTES = 0.3e9


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much a model has to do: batches in training, and images without it."""

    steps: int
    batch: int
    predicted: int


def work(whole: Params) -> Work:
    """Return what each model does at the active profile, at most: no training stops early."""
    todo, (images, kinds) = training(whole), perturbed(whole)
    predicted = sum(n or 0 for n in plan.predicted(whole).values())
    return Work(
        steps=todo.epochs * todo.steps,
        batch=todo.batch,
        predicted=todo.epochs * todo.validated + predicted + images * kinds,
    )


@dataclass(frozen=True)
class OnProcessor:
    """What was measured of a model on a processor, at the sample's size and at a larger one.

    Attributes:
        sides: of the images, in pixels.
        start: seconds until the first step is done, beside that step's own.
        each: seconds for an image in training, at either size.
        memory: bytes at most, at either size.
    """

    sides: tuple[int, int]
    start: float
    each: tuple[float, float]
    memory: tuple[float, float]

    def at(self, size: int, values: tuple[float, float]) -> float:
        """Return what lies on the line through both values, which is taken to rise with the pixels."""
        (small, large), (first, second) = self.sides, values
        return max(0.0, first + (second - first) * (size**2 - small**2) / (large**2 - small**2))


def on_processor(name: str, measured: Mapping[str, Any], sample: Mapping[str, Any]) -> OnProcessor | None:
    """Return what was measured of a model, or None if it was not.

    Args:
        name: the model.
        measured: what benchmarks/training_cost.py wrote.
        sample: what benchmarks/measured_run.py wrote of the profile `sample`.
    """
    stages = sample["stages"]
    if name not in measured["models"] or f"train@{name}" not in stages:
        return None
    found, trained = measured["models"][name], stages[f"train@{name}"]
    step = median(found["step_seconds"])
    start = stages[f"initialise@{name}"]["seconds"] + found["first_step_seconds"] - step
    profile = sample["params"]["profiles"][sample["profile"]]
    epochs = min(sample["params"]["training"]["epochs"], profile["training"]["epochs_at_most"] or math.inf)
    images = epochs * (profile["counts"]["train"] + profile["counts"]["val"] / PASSES)
    return OnProcessor(
        sides=(profile["image_size"], measured["image_size"]),
        start=start,
        each=((trained["seconds"] - start) / images, step / measured["batch"]),
        memory=(2**20 * trained["peak_mib"], 2**20 * found["peak_mib"]),
    )


def gpu_hours(
    name: str, whole: Params, gpu: str, *, decoded: float, as_published: bool = False
) -> float | None:
    """Return hours of one model on a GPU; None if no rate of it is known.

    Args:
        name: the model.
        whole: params.yaml.
        gpu: one of GPUS.
        decoded: images a second that the machine's processor decodes: no GPU sees more.
        as_published: leave out that batches are smaller here and XLA may be off.
    """
    if name not in PUBLISHED:
        return None
    known, profile, todo = PUBLISHED[name], whole.active, work(whole)
    row, column = GPUS.index(gpu), int(profile.training.precision != "float32")
    trained = known.trained[row][column] * (known.size / profile.trained_size) ** 2
    predicted = known.predicted[row][column] * (known.size / profile.image_size) ** 2
    slower = 1.0 if as_published else SMALL_BATCHES * (1 if profile.training.jit_compile else WITHOUT_XLA)
    alone = known.alone[row][column] / 1e3
    feeding = float("inf") if profile.training.cache == "decoded" else decoded
    step = max(slower * todo.batch / trained, PASSES * alone, todo.batch / feeding)
    each = max(1 / predicted, alone / profile.prediction_batch_size, 1 / decoded)
    return (todo.steps * step + todo.predicted * each) / 3600


def processor_hours(whole: Params, known: OnProcessor | None) -> float | None:
    """Return hours of one model on the processor that was measured; None if it was not."""
    if known is None:
        return None
    todo, profile = work(whole), whole.active
    trained = todo.steps * todo.batch * known.at(profile.trained_size, known.each)
    predicted = todo.predicted / PASSES * known.at(profile.image_size, known.each)
    return (known.start + trained + predicted) / 3600


def measured_gpu_hours(
    name: str, whole: Params, on_gpu: Mapping[str, Any], precision: str | None = None
) -> float | None:
    """Return hours of one model on the GPU that was measured; None if it was not at this precision.

    Where XLA compiles the step and that was not measured, it is taken to be no faster than the step without.

    Args:
        name: the model.
        whole: params.yaml.
        on_gpu: what benchmarks/precision.py wrote of a GPU.
        precision: another than the active profile's.
    """
    if name not in on_gpu["models"]:
        return None
    found, training = on_gpu["models"][name], whole.active.training
    precision = precision or training.precision
    compiled = f"{precision}, XLA"
    setting = compiled if training.jit_compile and compiled in found else precision
    if setting not in found:
        return None
    # Smaller images do not make it shorter: it is what the processor needs to launch a step's operations.
    trained, predicted = (
        max(1.0, (side / on_gpu["image_size"]) ** 2) * median(found[setting]["step_seconds"])
        for side in (whole.active.trained_size, whole.active.image_size)
    )
    todo = work(whole)
    return (todo.steps * trained + todo.predicted * predicted / todo.batch / PASSES) / 3600


def t4_hours(name: str, whole: Params, on_gpu: Mapping[str, Any], *, decoded: float) -> float | None:
    """Return hours of one model on a T4: of its rate, or of launching the operations, whichever takes longer.

    Launching takes as long as in float32 on the GPU that was measured, whose steps are short for it.
    """
    computed = gpu_hours(name, whole, "T4", decoded=decoded)
    launched = measured_gpu_hours(name, whole, on_gpu, precision="float32")
    return None if computed is None else max(computed, launched or 0.0)


def gpu_memory(
    name: str, whole: Params, measured: Mapping[str, Any], weights: int | None = None
) -> float | None:
    """Return about how many bytes a training keeps on a GPU: weights, gradients, Adam's two, activations.

    Args:
        name: the model.
        whole: params.yaml.
        measured: what training_cost.py measured, weights at its own size of images among it.
        weights: bytes of the initial weights, where they are here: of the CNN they rise with the size.
    """
    if name not in measured["models"]:
        return None
    found, profile = measured["models"][name], whole.active
    values = found["values_per_image"] * (profile.trained_size / measured["image_size"]) ** 2
    each = 4 if profile.training.precision == "float32" else 2
    return 4 * (weights or 4 * found["parameters"]) + each * whole.training.batch_size * values


def network(whole: Params) -> float:
    """Return bytes that are fetched: archives from Kaggle, ImageNet weights, packages (unpacked)."""
    profile = whole.active
    archives = sum(plan.archive_bytes(whole, name) or 0 for name in whole.data_sets)
    return (
        (archives if profile.source == "kaggle" else 0)
        + (IMAGENET_BYTES if fetches_weights(whole) else 0)
        + PACKAGES_BYTES
    )


def fetches_weights(whole: Params) -> bool:
    """Say whether a member starts from ImageNet weights that no package brings."""
    starts = {name: whole.active.start(name) for name in whole.members}
    files = [architecture.find(name).imagenet for name, start in starts.items() if start == "imagenet"]
    return any(file is not None and not file.url.startswith(PACKAGE) for file in files)


def page(
    whole: Params,
    steps: Sequence[Step],
    *,
    measured: Mapping[str, Any],
    sample: Mapping[str, Any],
    on_gpu: Mapping[str, Any],
    cores: int = CORES,
) -> str:
    """Return the estimate of the active profile, in Markdown; `steps` are those that `make plan` shows.

    Args:
        whole: params.yaml.
        steps: those that `make plan` shows.
        measured: what benchmarks/training_cost.py wrote.
        sample: what benchmarks/measured_run.py wrote of the profile `sample`.
        on_gpu: what benchmarks/precision.py wrote of a GPU.
        cores: of the machine that the GPU is in.
    """
    profile = whole.active
    decoded = _decoded(measured, profile.image_size) * cores
    known = {name: on_processor(name, measured, sample) for name in whole.members}
    ways = {
        f"{gpu}{', published' if published else ''}": [
            gpu_hours(name, whole, gpu, decoded=decoded, as_published=published) for name in whole.members
        ]
        for gpu in ("A100", "V100")
        for published in (True, False)
    }
    ways["T4"] = [t4_hours(name, whole, on_gpu, decoded=decoded) for name in whole.members]
    gpu = on_gpu["machine"]["gpu"]
    ways[gpu] = [measured_gpu_hours(name, whole, on_gpu) for name in whole.members]
    here = f"{measured['machine']['cores']} cores"
    ways[here] = [processor_hours(whole, of) for of in known.values()]
    weights = {step.item: step.disk for step in steps if step.stage == "initialise" and step.measured}
    rows = [
        [
            name,
            *(_time(of[number]) for of in ways.values()),
            _memory(gpu_memory(name, whole, measured, weights.get(name))),
        ]
        for number, name in enumerate(whole.members)
    ]
    rows.append(["**all**", *(f"**{_sum(of)}**" for of in ways.values()), ""])
    header = ["time, at most", *ways, "GPU memory, about"]
    todo, settings = work(whole), profile.training
    xla, images = "on" if settings.jit_compile else "off", f"{profile.counts['train']:,} training images"
    without = "" if settings.jit_compile else f" and for steps without XLA ({WITHOUT_XLA:.2f} times)"
    uncompiled = ", and without XLA where they were not measured with it" if settings.jit_compile else ""
    crops = f" (crops of {settings.crop} in training)" if settings.crop else ""
    return f"""\
Profile `{whole.profile}`: {images} of {profile.image_size} pixels{crops},
{training(whole).epochs} epochs at most, {todo.steps:,} steps of {todo.batch} images and
{todo.predicted:,} images predicted by each model, {settings.precision}, XLA {xla}.

{table(header, rows)}

Counted are the training of each model and its predictions. "Published" is at the rates of the sources below,
for large batches and with XLA. The columns beside it allow for small batches ({SMALL_BATCHES:.2f} times as
long){without}. No more images a second are seen than {cores} cores decode: {decoded:,.0f}, as
measured on {here} ({measured["machine"]["cpu"]}), of which the last times are: they lie on the line through
two measurements, at {_sides(known)} pixels. The times on {gpu} are of steps that were
measured there (`benchmarks/precision.py`), repeatable as all are{uncompiled}.
A T4 is taken to launch a step's operations no faster than they were there in float32, and its rates in
training are a V100's times what the source has of both in prediction. Frozen layers take less, early stopping
may take most of it away, and compiling by XLA comes on top.

- Disk: {disk(steps)}; packages {decimal(round(PACKAGES_BYTES))} (more with CUDA){_imagenet(whole)}.
- Network: {decimal(round(network(whole)))}.
- Memory: {_most(whole, known)}
{_uncounted(whole, ways)}
Sources:

{_sources()}
"""


def _imagenet(whole: Params) -> str:
    return f"; ImageNet weights {decimal(round(IMAGENET_BYTES))}" if fetches_weights(whole) else ""


def _uncounted(whole: Params, ways: Mapping[str, Sequence[float | None]]) -> str:
    """Return lines on what nothing tells: data sets without a count, and models without a rate."""
    splits = [split for split, images in plan.predicted(whole).items() if images is None]
    unknown = {
        name: [way for way, of in ways.items() if of[number] is None]
        for number, name in enumerate(whole.members)
    }
    lines = [f"- Not in it: all images of {', '.join(splits)}; their number is not known."] if splits else []
    for name, missing in unknown.items():
        if len(missing) == len(ways):
            lines.append(f"- Not in it: {name}, of which nothing was published or measured. It comes on top.")
        elif missing:
            lines.append(f"- Not in it: {name} on {', '.join(missing)}, where no rate of it is known.")
    return "".join(f"{line}\n" for line in lines)


def _sources() -> str:
    return "\n".join(f"- {name}: <{address}>" for name, address in SOURCES.items())


def _decoded(measured: Mapping[str, Any], size: int) -> float:
    """Return images a second that one core decodes at a size."""
    each = median(measured["decoded_per_second"]) / measured["machine"]["cores"]
    return each * (measured["image_size"] / size) ** 2


def _sum(hours: Sequence[float | None]) -> str:
    known = [each for each in hours if each is not None]
    more = "> " if len(known) < len(hours) else ""
    return f"{more}{_time(sum(known))}" if known else "–"


def _time(hours: float | None) -> str:
    if hours is None:
        return "–"
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    if hours < 1:
        return f"{60 * hours:.{int(hours < 1 / 6)}f} min"
    return f"{hours:,.{int(hours < 100)}f} h"


def _memory(size: float | None) -> str:
    return "–" if size is None else decimal(round(size))


def _sides(known: Mapping[str, OnProcessor | None]) -> str:
    return " and ".join(map(str, next((of.sides for of in known.values() if of), ("no",))))


def _most(whole: Params, known: Mapping[str, OnProcessor | None]) -> str:
    size = whole.active.trained_size
    needed = {name: of.at(size, of.memory) for name, of in known.items() if of}
    if not needed:
        return "nothing was measured of these models."
    most = max(needed, key=lambda name: needed[name])
    return (
        f"about {needed[most] / 2**30:.1f} GiB at most, for {most} in training on a processor at {size}"
        " pixels; on a GPU less, because the networks are not in it."
    )


def of_profile(profile: str | None = None, cores: int = CORES) -> str:
    """Return the estimate of a profile, or of the active one, for the project in the working folder.

    Raises:
        UserError: if params.yaml is not in order, or one of the measurements is missing.
    """
    whole = CHECK.read(**(changes_for(profile) if profile else {}))
    for file, command in (
        (MEASURED, "python benchmarks/training_cost.py"),
        (ON_GPU, "python benchmarks/precision.py"),
        (SAMPLE, "make results"),
    ):
        if not file.exists():
            raise UserError(f"{file}: missing; `{command}` writes it")
    # What another profile leaves of the results is not what lies here.
    pipeline = [replace(known, runs="yes") if profile else known for known in ask_dvc()]
    return page(
        whole,
        PLAN.steps(whole, pipeline),
        measured=read_json(MEASURED),
        sample=read_json(SAMPLE),
        on_gpu=read_json(ON_GPU)["gpu"],
        cores=cores,
    )


def changes_for(profile: str) -> dict[str, Any]:
    """Return what of params.yaml makes a profile the active one: it may have members of its own."""
    its = CHECK.read().profiles.get(profile)
    return {"profile": profile} | ({"members": its.members} if its and its.members else {})


def main() -> None:
    parser = argparse.ArgumentParser(prog="make estimate", description=__doc__)
    parser.add_argument("--profile", help="another profile than the active one")
    parser.add_argument(
        "--cores", type=int, default=CORES, help=f"of the machine with the GPU (default {CORES})"
    )
    asked = parser.parse_args()
    print(of_profile(asked.profile, asked.cores))


if __name__ == "__main__":
    with exiting():
        main()
