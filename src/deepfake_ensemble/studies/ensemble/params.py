"""Check the whole of params.yaml before anything runs: `python -m deepfake_ensemble.studies.ensemble.params`.

Each stage reads its own sections strictly, but hours may pass before the last of them does. Here every key
of every section and every profile is looked at, and what only together makes sense is compared.
"""

import difflib
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, MinLen

from deepfake_ensemble.archives.audit import AuditParams
from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.evaluation.settings import INTERNAL, ComparisonParams, EvaluationParams
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method
from deepfake_ensemble.explanation.choice import ExplanationParams
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.processor import Processor
from deepfake_ensemble.foundation.section import ImageSize, Interpolation, Seed, Seed32, section
from deepfake_ensemble.models import architecture
from deepfake_ensemble.models.detector import ModelParams
from deepfake_ensemble.perturbing.perturbations import Robustness, conditions
from deepfake_ensemble.training.ensemble.recipe import Adaptation, Decoded, Recipe, Resume

TRAINED = ["train", "val", "test"]


@section
class Sample:
    seed: Seed


@section
class Split:
    seed: Seed


@section
class Pack:
    images_per_shard: Annotated[int, Ge(1)]


@section
class Resizing:
    interpolation: Interpolation


@section
class Ensemble:
    weighting: Method


@section
class Profile:
    """The section `profiles.NAME`."""

    source: Source
    image_size: ImageSize
    counts: dict[str, Annotated[int, Ge(2)]]
    initial_weights: architecture.InitialWeights
    training: Adaptation
    prediction_batch_size: Annotated[int, Ge(1)]
    perturbed_images: Annotated[int, Ge(0)]
    processor: Processor


@section
class Params:
    """All of params.yaml; `models.NAME.network` is each architecture's own."""

    profile: str
    seed: Seed32
    seeds: Annotated[list[Seed32], MinLen(2)]
    data_sets: Annotated[dict[str, DataSet], MinLen(1)]
    sample: Sample
    audit: AuditParams
    split: Split
    pack: Pack
    resizing: Resizing
    models: Annotated[dict[str, ModelParams], MinLen(1)]
    training: Recipe
    resume: Resume
    decoded: Decoded
    ensemble: Ensemble
    evaluation: EvaluationParams
    comparison: ComparisonParams
    robustness: Robustness
    explanations: ExplanationParams
    profiles: dict[str, Profile]


def problems(data: Mapping[str, Any]) -> list[str]:
    """Return a line for everything that is wrong with params.yaml's content; each begins with its key."""
    found = params.problems("", data, Params)
    models = data.get("models")
    found += _wrong_networks(models if isinstance(models, dict) else {})
    if found:
        return found  # what follows compares values that are each possible
    whole = params.check("", data, Params)
    return [
        *_wrong_profile(whole),
        *_wrong_data_sets(whole.data_sets),
        *_wrong_counts(whole),
        *_wrong_robustness(whole),
        *_wrong_precisions(whole),
        *_wrong_models(whole.models),
    ]


def _wrong_networks(models: Mapping[str, Any]) -> Iterator[str]:
    for name, model in models.items():
        if name not in architecture.names():
            yield f"models.{name}: no such architecture; {_meant(name, architecture.names())}"
        elif isinstance(model, dict) and isinstance(model.get("network"), dict):
            network = architecture.find(name).network
            yield from params.problems(f"models.{name}.network", model["network"], network)


def _wrong_profile(whole: Params) -> Iterator[str]:
    if whole.profile not in whole.profiles:
        hint = _meant(whole.profile, whole.profiles)
        yield f'profile: "{whole.profile}" is not one of the profiles; {hint}'


def _wrong_data_sets(data_sets: Mapping[str, DataSet]) -> Iterator[str]:
    drawn_from = Counter(split for data_set in data_sets.values() for split in data_set.splits)
    trained = [name for name, data_set in data_sets.items() if data_set.splits == TRAINED]
    for name, data_set in data_sets.items():
        key = f"data_sets.{name}"
        if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in (INTERNAL, *TRAINED):
            yield (
                f"{key}: cannot be the name of a data set; use small letters, digits and _, and none of"
                f" {', '.join((INTERNAL, *TRAINED))}"
            )
        if data_set.kaggle.count("/") != 1:
            yield f'{key}.kaggle: "{data_set.kaggle}" is not allowed: it should be OWNER/NAME'
        parts = ("all", *LAYOUTS[data_set.layout].partitions)
        if data_set.partition not in parts:
            yield (
                f'{key}.partition: "{data_set.partition}" is not allowed: the layout {data_set.layout} has'
                f" {', '.join(parts)}"
            )
        if data_set.splits not in (TRAINED, [name]):
            yield (
                f"{key}.splits: {_listed(data_set.splits)} is not allowed: it should be {_listed(TRAINED)},"
                f" or {_listed([name])} for a data set that is only predicted"
            )
        elif shared := [split for split in data_set.splits if drawn_from[split] > 1]:
            yield f"{key}.splits: {shared[0]} is drawn from another data set too; one split, one data set"
    if len(trained) != 1:
        yield (
            f"data_sets: {len(trained) or 'none'} of {', '.join(data_sets)} has the splits"
            f" {_listed(TRAINED)}; exactly one must, the one that is trained on"
        )


def _wrong_counts(whole: Params) -> Iterator[str]:
    splits = [split for data_set in whole.data_sets.values() for split in data_set.splits]
    for name, profile in whole.profiles.items():
        key = f"profiles.{name}.counts"
        yield from (
            f"{key}.{split}: missing; data_sets names it" for split in splits if split not in profile.counts
        )
        for split, count in profile.counts.items():
            if split not in splits:
                yield f"{key}.{split}: no data set has this split; {_meant(split, splits)}"
            else:
                yield from wrong_count(f"{key}.{split}", count)


def wrong_count(key: str, count: int) -> Iterator[str]:
    """Yield a line if the number of a split's images, found at `key`, cannot be half of each class."""
    if count % 2:
        yield f"{key}: {count} is not allowed: half of each class, so an even number"


def _wrong_robustness(whole: Params) -> Iterator[str]:
    for kind, severities in vars(whole.robustness.severities).items():
        rising = kind in ("blur", "noise")
        if severities != sorted(set(severities), reverse=not rising):
            yield (
                f"robustness.severities.{kind}: {_listed(map(str, severities))} is not allowed: from mild to"
                f" strong, so {'rising' if rising else 'falling'}, each once"
            )
    names = Counter(condition.name for condition in conditions(whole.robustness))
    yield from (
        f"robustness.severities: two are so close that both are called {name}; keep one"
        for name, count in names.items()
        if count > 1
    )
    for name, profile in whole.profiles.items():
        if profile.perturbed_images % 2:
            yield (
                f"profiles.{name}.perturbed_images: {profile.perturbed_images} is not allowed: an even"
                " number, so that both classes are there"
            )
    outside = [name for name, data_set in whole.data_sets.items() if data_set.splits != TRAINED]
    for name in whole.robustness.like:
        if name not in outside:
            yield f"robustness.like.{name}: no data set that is only predicted; {_meant(name, outside)}"


def _wrong_precisions(whole: Params) -> Iterator[str]:
    for name, profile in whole.profiles.items():
        yield from wrong_precision(name, profile.training.precision, profile.processor)


def wrong_precision(name: str, precision: str, processor: Processor) -> Iterator[str]:
    """Yield a line if a profile limits a processor to instructions that cannot compute at its precision."""
    if precision == "mixed_bfloat16" and processor.cpu_isa != "native":
        yield (
            f"profiles.{name}.processor.cpu_isa: {processor.cpu_isa} is not allowed where"
            f" profiles.{name}.training.precision is mixed_bfloat16: it should be native"
        )


def _wrong_models(models: Mapping[str, ModelParams]) -> Iterator[str]:
    for name, model in models.items():
        if name == ENSEMBLE:
            yield f"models.{name}: so is the models' weighted average called; rename the architecture"
        yield from wrong_scaling(name, model.input_scaling)


def wrong_scaling(name: str, scaling: architecture.InputScaling) -> Iterator[str]:
    """Yield a line if a model is to scale images as published weights expect it, and has none."""
    if scaling == "native" and architecture.find(name).native is None:
        yield (
            f'models.{name}.input_scaling: "native" is not allowed: {name} has no published weights whose'
            " scaling could be used; it should be 'unit'"
        )


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def out_of_step(data: Mapping[str, Any], pipeline: Mapping[str, Any]) -> list[str]:
    """Return a line for each list in dvc.yaml that does not follow from params.yaml's content."""
    stages = pipeline["stages"]
    listed = {
        "models": stages["train"]["matrix"]["model"],
        "data_sets": stages["audit"]["matrix"]["data_set"],
    }
    return [
        f"{key}: has {', '.join(data[key])}, but dvc.yaml has {', '.join(names)}; run `make pipeline`"
        for key, names in listed.items()
        if list(data[key]) != list(names)
    ]


def count(data: Any) -> int:
    """Return how many keys with a value of their own there are in nested mappings."""
    return sum(map(count, data.values())) if isinstance(data, dict) else 1


def main() -> None:
    """Print that all is in order, or a line for each problem, and exit with code 1."""
    data = params.load()
    pipeline = Path("dvc.yaml")
    found = problems(data) or (out_of_step(data, params.load(pipeline)) if pipeline.exists() else [])
    if found:
        sys.exit("\n".join(f"{params.FILE}: {problem}" for problem in found))
    print(f"{params.FILE}: all {count(data)} keys are in order")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
