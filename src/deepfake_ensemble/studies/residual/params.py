"""All of the second study's params.yaml, and its check.

Run `python -m deepfake_ensemble.studies.residual.params` in `residual/`.
"""

from collections.abc import Iterator
from typing import Annotated

from annotated_types import MinLen

from deepfake_ensemble.explanation.settings import Pictures
from deepfake_ensemble.foundation.section import INTERNAL, section
from deepfake_ensemble.mistakes.settings import Mistakes
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.common import params as common
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from deepfake_ensemble.training.residual.settings import (
    Model,
    ProfileRun,
    ProfileTraining,
    Recipe,
    Runs,
    why_left_out,
)
from deepfake_ensemble.training.shared.settings import Resume


@section
class Profile(common.Profile):
    """The section `profiles.NAME`."""

    imagenet: bool
    training: ProfileTraining
    runs: dict[str, ProfileRun]


@section
class Params(common.Params):
    """All of the second study's params.yaml."""

    models: Annotated[dict[str, Model], MinLen(1)]
    recipes: Annotated[dict[str, Recipe], MinLen(1)]
    runs: Runs
    resume: Resume
    pictures: Pictures
    mistakes: Mistakes
    profiles: dict[str, Profile]

    @property
    def active(self) -> Profile:
        """The active profile's section."""
        return self.profiles[self.profile]


def _wrong_together(whole: Params) -> Iterator[str]:
    if list(whole.data_sets) != [INTERNAL] or whole.data_sets[INTERNAL].layout != "cifake":
        yield f"data_sets: this study is of {INTERNAL} alone, in the layout cifake"
    for name, recipe in whole.recipes.items():
        if recipe.crop_scale is not None and recipe.crop_scale[0] > recipe.crop_scale[1]:
            yield f"recipes.{name}.crop_scale: {recipe.crop_scale} is not allowed: it should rise"
    yield from _wrong_runs(whole)
    for name, profile in whole.profiles.items():
        yield from _wrong_extents(f"profiles.{name}.runs", whole, profile)


def _wrong_runs(whole: Params) -> Iterator[str]:
    twice = whole.runs.imagenet.keys() & whole.runs.random.keys()
    yield from (f"runs: {name} stands under imagenet and under random; keep one" for name in sorted(twice))
    for name, run in whole.runs.all.items():
        key = f"runs.{whole.runs.weights(name)}.{name}"
        if run.model not in whole.models:
            yield f"{key}.model: {run.model} is none of the models: {', '.join(whole.models)}"
        elif whole.runs.weights(name) == "imagenet" and architecture.find(run.model).imagenet is None:
            yield f"{key}: {run.model} has no published weights; move it to runs.random"
        if run.recipe not in whole.recipes:
            yield f"{key}.recipe: {run.recipe} is none of the recipes: {', '.join(whole.recipes)}"
        if run.connections != "kept" and run.model not in RESNETS.values():
            yield (
                f"{key}.connections: only those of {', '.join(RESNETS.values())} can be removed, not"
                f" {run.model}'s; it should be 'kept'"
            )


def _wrong_extents(key: str, whole: Params, profile: Profile) -> Iterator[str]:
    unknown = profile.runs.keys() - whole.runs.all.keys()
    missing = whole.runs.all.keys() - profile.runs.keys()
    yield from (f"{key}.{run}: no such run" for run in sorted(unknown))
    yield from (f"{key}.{run}: missing; 0 epochs leave it out" for run in sorted(missing))
    for run in sorted(profile.runs.keys() & whole.runs.imagenet.keys()):
        if profile.runs[run].stem != "imagenet":
            yield f"{key}.{run}.stem: ImageNet's weights are of the imagenet stem alone"
    if not unknown and not missing and not included_runs(whole, profile):
        yield f"{key}: leaves every run out; give one of them epochs"


def included_runs(whole: Params, profile: Profile) -> list[str]:
    """Return the runs that a profile does."""
    return [
        run
        for run, profile_run in profile.runs.items()
        if why_left_out(whole.runs.weights(run), profile_run, profile.imagenet) is None
    ]


CHECK = common.Check(Params, _wrong_together, folder="residual/")

if __name__ == "__main__":
    CHECK.main()
