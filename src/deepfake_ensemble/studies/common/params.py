"""What both studies' params.yaml have in common, and the check of a whole one before anything runs.

Each stage reads its own sections strictly, but hours may pass before the last of them does. Here every key
of every section and every profile is looked at, and what only together makes sense is compared.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from annotated_types import Ge, MinLen

from deepfake_ensemble.archives.audit import AuditParams
from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
from deepfake_ensemble.evaluation.weighting import Method
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.processor import Processor
from deepfake_ensemble.foundation.section import (
    INTERNAL,
    INTERNAL_SPLITS,
    ImageSize,
    Interpolation,
    Seed,
    Seed32,
    section,
)
from deepfake_ensemble.models import architecture
from deepfake_ensemble.tracking.following import Tracker


@section
class Seeded:
    """A section that holds a seed alone."""

    seed: Seed


@section
class Pack:
    """The section `pack`."""

    images_per_shard: Annotated[int, Ge(1)]


@section
class Resizing:
    """The section `resizing`."""

    interpolation: Interpolation


@section
class Ensemble:
    """The section `ensemble`."""

    weighting: Method


@section
class Profile:
    """What the section `profiles.NAME` holds in both studies; what `training` may say is each study's own."""

    source: Source
    image_size: ImageSize
    counts: dict[str, Annotated[int, Ge(2)]]
    training: Any
    prediction_batch_size: Annotated[int, Ge(1)]
    processor: Processor


@section
class Params:
    """What params.yaml holds in both studies; of `models` and `profiles` each study has its own type.

    `models.NAME.network` is each architecture's own section.
    """

    profile: str
    seed: Seed32
    data_sets: Annotated[dict[str, DataSet], MinLen(1)]
    sample: Seeded
    audit: AuditParams
    split: Seeded
    pack: Pack
    resizing: Resizing
    tracking: list[Tracker]
    models: dict[str, Any]
    ensemble: Ensemble
    evaluation: EvaluationParams
    comparison: ComparisonParams
    profiles: dict[str, Any]

    @property
    def active(self) -> Any:
        """The active profile's section."""
        return self.profiles[self.profile]


P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Check(Generic[P]):
    """The check of a study's params.yaml.

    Attributes:
        schema: the dataclass of the whole file.
        own: yields a line for everything that makes no sense together in this study.
        folder: of the study, seen from the project's root, with its slash; for messages.
    """

    schema: type[P]
    own: Callable[[P], Iterable[str]]
    folder: str = ""

    @property
    def file(self) -> str:
        """The file's path, seen from the project's root."""
        return f"{self.folder}{params.FILE}"

    def problems(self, data: Mapping[str, Any]) -> list[str]:
        """Return a line for everything that is wrong with params.yaml's content; each begins with its key."""
        found = params.problems("", data, self.schema)
        models = data.get("models")
        found += _wrong_networks(models if isinstance(models, dict) else {})
        if found:
            return found  # what follows compares values that are each possible
        whole = params.check("", data, self.schema)
        return [*_wrong_together(whole), *self.own(whole)]

    def read(self, **changes: Any) -> P:
        """Return params.yaml of the working folder as a whole, with `changes` of its top-level keys.

        Raises:
            UserError: with a line for each problem.
        """
        data = params.load() | changes
        if found := self.problems(data):
            raise UserError("\n".join(f"{self.file}: {problem}" for problem in found))
        return params.check("", data, self.schema)

    def main(self) -> None:
        """Print that all is in order, or a line for each problem, and exit with code 1."""
        with exiting():
            self.read()
        print(f"{self.file}: all {keys(params.load())} keys are in order")


def keys(data: Any) -> int:
    """Return how many keys with a value of their own there are in nested mappings."""
    return sum(map(keys, data.values())) if isinstance(data, dict) else 1


def _wrong_networks(models: Mapping[str, Any]) -> Iterator[str]:
    for name, model in models.items():
        if name not in architecture.names():
            yield f"models.{name}: no such architecture; {did_you_mean(name, architecture.names())}"
        elif isinstance(model, dict) and isinstance(model.get("network"), dict):
            network = architecture.find(name).network
            yield from params.problems(f"models.{name}.network", model["network"], network)


def _wrong_together(whole: Params) -> Iterator[str]:
    if whole.profile not in whole.profiles:
        hint = did_you_mean(whole.profile, whole.profiles)
        yield f'profile: "{whole.profile}" is not one of the profiles; {hint}'
    yield from _wrong_data_sets(whole.data_sets)
    yield from _wrong_models(whole.models)
    for name, profile in whole.profiles.items():
        yield from _wrong_counts(f"profiles.{name}.counts", profile.counts, whole.data_sets)
        if profile.training.precision == "mixed_bfloat16" and profile.processor.cpu_isa != "native":
            yield (
                f"profiles.{name}.processor.cpu_isa: {profile.processor.cpu_isa} is not allowed where"
                f" profiles.{name}.training.precision is mixed_bfloat16: it should be native"
            )


def _wrong_data_sets(data_sets: Mapping[str, DataSet]) -> Iterator[str]:
    if INTERNAL not in data_sets:
        yield f"data_sets.{INTERNAL}: missing; it is the one that is split and trained on"
    for name, data_set in data_sets.items():
        key = f"data_sets.{name}"
        if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in INTERNAL_SPLITS:
            yield (
                f"{key}: cannot be the name of a data set; use small letters, digits and _, and none of"
                f" {', '.join(INTERNAL_SPLITS)}"
            )
        if not re.fullmatch("[A-Za-z0-9_-]+", data_set.archive):
            yield f'{key}.archive: "{data_set.archive}" is not allowed: use letters, digits, _ and -'
        if data_set.kaggle.count("/") != 1:
            yield f'{key}.kaggle: "{data_set.kaggle}" is not allowed: it should be OWNER/NAME'
        parts = ("all", *LAYOUTS[data_set.layout].partitions, "test_leak_free")
        if data_set.partition not in parts:
            yield (
                f'{key}.partition: "{data_set.partition}" is not allowed: the layout {data_set.layout} has'
                f" {', '.join(parts)}"
            )


def _wrong_models(models: Mapping[str, Any]) -> Iterator[str]:
    for name, model in models.items():
        registered = architecture.find(name)
        if registered.scaling(model.input_scaling) is None:
            yield f"models.{name}.input_scaling: {registered.why_not(name, model.input_scaling)}"
        frozen = model.network.get("frozen_layers", 0)
        if registered.layers is not None and frozen > registered.layers:
            yield (
                f"models.{name}.network.frozen_layers: {frozen} is not allowed: it has {registered.layers}"
                " layers"
            )


def _wrong_counts(key: str, counts: Mapping[str, int], data_sets: Mapping[str, DataSet]) -> Iterator[str]:
    drawn = [*INTERNAL_SPLITS, *(name for name in data_sets if name != INTERNAL)]
    yield from (f"{key}.{split}: missing" for split in INTERNAL_SPLITS if split not in counts)
    for split, count in counts.items():
        if split not in drawn:
            yield f"{key}.{split}: no data set has this split; {did_you_mean(split, drawn)}"
        elif count % 2:
            yield f"{key}.{split}: {count} is not allowed: half of each class, so an even number"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return which of the known names was probably meant, or all of them."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def yaml_list(values: Iterable[Any]) -> str:
    """Return a list as params.yaml has it."""
    return f"[{', '.join(map(str, values))}]"
