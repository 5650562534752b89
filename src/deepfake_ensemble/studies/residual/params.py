"""Check the second study's params.yaml: `python -m deepfake_ensemble.studies.residual.params`.

Each stage reads its own sections strictly, but hours may pass before the last of them does. Run it in
`residual/`.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, MinLen

from deepfake_ensemble.archives.audit import AuditParams
from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.archives.splitting import SPLITS
from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
from deepfake_ensemble.explanation.pictures_settings import Pictures
from deepfake_ensemble.fetching.checkpoints import has_published
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.processor import Processor
from deepfake_ensemble.foundation.section import ImageSize, Seed, Seed32, section
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.ensemble.params import (
    Ensemble,
    Pack,
    Resizing,
    wrong_count,
    wrong_precision,
    wrong_scaling,
)
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from deepfake_ensemble.training.ensemble.recipe import Resume
from deepfake_ensemble.training.residual.settings import (
    Adaptation,
    Extent,
    Model,
    Recipe,
    Runs,
    why_left_out,
)


@section
class Seeded:
    seed: Seed


@section
class Profile:
    """The section `profiles.NAME`."""

    source: Source
    image_size: ImageSize
    counts: dict[str, Annotated[int, Ge(2)]]
    imagenet: bool
    training: Adaptation
    prediction_batch_size: Annotated[int, Ge(1)]
    processor: Processor
    runs: dict[str, Extent]


@section
class Params:
    """All of the second study's params.yaml; `models.NAME.network` is each architecture's own."""

    profile: str
    seed: Seed32
    data_sets: dict[str, DataSet]
    sample: Seeded
    audit: AuditParams
    split: Seeded
    pack: Pack
    resizing: Resizing
    models: Annotated[dict[str, Model], MinLen(1)]
    recipes: Annotated[dict[str, Recipe], MinLen(1)]
    runs: Runs
    resume: Resume
    ensemble: Ensemble
    evaluation: EvaluationParams
    comparison: ComparisonParams
    pictures: Pictures
    profiles: dict[str, Profile]


def problems(data: Mapping[str, Any]) -> list[str]:
    """Return a line for everything that is wrong with params.yaml's content; each begins with its key."""
    found = params.problems("", data, Params)
    if found:
        return found  # what follows compares values that are each possible
    whole = params.check("", data, Params)
    return [
        *_wrong_profile(whole),
        *_wrong_models(whole),
        *_wrong_runs(whole),
        *_wrong_precisions(whole),
        *_wrong_extents(whole),
    ]


def _wrong_profile(whole: Params) -> Iterator[str]:
    if whole.profile not in whole.profiles:
        yield f'profile: "{whole.profile}" is not one of the profiles: {", ".join(whole.profiles)}'
    if list(whole.data_sets) != ["cifake"] or whole.data_sets["cifake"].layout != "cifake":
        yield "data_sets: this study is of cifake, in the layout cifake, alone"


def _wrong_models(whole: Params) -> Iterator[str]:
    for name, model in whole.models.items():
        if name not in architecture.names():
            yield f"models.{name}: no such architecture; registered are {', '.join(architecture.names())}"
            continue
        network = architecture.find(name).network
        yield from params.problems(f"models.{name}.network", model.network, network)
        yield from wrong_scaling(name, model.input_scaling)
    for name, recipe in whole.recipes.items():
        if recipe.crop_scale is not None and recipe.crop_scale[0] > recipe.crop_scale[1]:
            yield f"recipes.{name}.crop_scale: {recipe.crop_scale} is not allowed: it should rise"


def _wrong_runs(whole: Params) -> Iterator[str]:
    twice = whole.runs.imagenet.keys() & whole.runs.random.keys()
    yield from (f"runs: {name} stands under imagenet and under random; keep one" for name in sorted(twice))
    for name, run in whole.runs.all.items():
        key = f"runs.{whole.runs.weights(name)}.{name}"
        if run.model not in whole.models:
            yield f"{key}.model: {run.model} is none of the models: {', '.join(whole.models)}"
        elif whole.runs.weights(name) == "imagenet" and not has_published(run.model):
            yield f"{key}: {run.model} has no published weights; move it to runs.random"
        if run.recipe not in whole.recipes:
            yield f"{key}.recipe: {run.recipe} is none of the recipes: {', '.join(whole.recipes)}"
        if run.connections != "kept" and run.model not in RESNETS:
            yield (
                f"{key}.connections: only those of {', '.join(RESNETS)} can be removed, not {run.model}'s; it"
                " should be 'kept'"
            )


def _wrong_precisions(whole: Params) -> Iterator[str]:
    for name, profile in whole.profiles.items():
        yield from wrong_precision(name, profile.training.precision, profile.processor)


def _wrong_extents(whole: Params) -> Iterator[str]:
    for name, profile in whole.profiles.items():
        key = f"profiles.{name}"
        unknown = profile.runs.keys() - whole.runs.all.keys()
        missing = whole.runs.all.keys() - profile.runs.keys()
        yield from (f"{key}.runs.{run}: no such run" for run in sorted(unknown))
        yield from (f"{key}.runs.{run}: missing; 0 epochs leave it out" for run in sorted(missing))
        for run in sorted(profile.runs.keys() & whole.runs.imagenet.keys()):
            if profile.runs[run].stem != "imagenet":
                yield f"{key}.runs.{run}.stem: ImageNet's weights are of the imagenet stem alone"
        if set(profile.counts) != set(SPLITS):
            yield f"{key}.counts: it should have {', '.join(SPLITS)}"
        for split, count in profile.counts.items():
            yield from wrong_count(f"{key}.counts.{split}", count)
        if not unknown and not missing and not done(whole, profile):
            yield f"{key}.runs: leaves every run out; give one of them epochs"


def done(whole: Params, profile: Profile) -> list[str]:
    """Return the runs that a profile does."""
    return [
        run
        for run, extent in profile.runs.items()
        if why_left_out(whole.runs.weights(run), extent, profile.imagenet) is None
    ]


def out_of_step(data: Mapping[str, Any], pipeline: Mapping[str, Any]) -> list[str]:
    """Return a line if dvc.yaml does not list the runs of params.yaml."""
    listed = pipeline["stages"]["predict"]["foreach"]
    runs = [*data["runs"]["imagenet"], *data["runs"]["random"]]
    return [] if listed == runs else ["runs: not those that dvc.yaml lists; run `make pipeline`"]


def main() -> None:
    """Print that all is in order, or a line for each problem, and exit with code 1."""
    data = params.load()
    found = problems(data) or out_of_step(data, params.load(Path("dvc.yaml")))
    if found:
        sys.exit("\n".join(f"residual/{params.FILE}: {problem}" for problem in found))
    print(f"residual/{params.FILE}: all is in order")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
