"""All of the ensemble study's params.yaml, and its check.

Run `python -m deepfake_ensemble.studies.ensemble.params` in the project's root.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated

from annotated_types import Ge, MinLen

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.explanation.settings import ExplanationParams
from deepfake_ensemble.foundation.section import INTERNAL, Seed32, section
from deepfake_ensemble.models import architecture
from deepfake_ensemble.models.architecture import InitialWeights
from deepfake_ensemble.models.detector import ModelParams
from deepfake_ensemble.perturbing.conditions import Robustness, conditions
from deepfake_ensemble.portable.settings import ExportParams
from deepfake_ensemble.studies.common import params as common
from deepfake_ensemble.training.ensemble.recipe import Decoded, ProfileTraining, Recipe
from deepfake_ensemble.training.shared.settings import Resume


@section
class Profile(common.Profile):
    """The section `profiles.NAME`."""

    members: Annotated[list[str], MinLen(1)] | None
    initial_weights: InitialWeights
    initial_weights_of: dict[str, InitialWeights]
    training: ProfileTraining
    perturbed_images: Annotated[int, Ge(0)]

    @property
    def trained_size(self) -> int:
        """Side in pixels of the images that a training step sees."""
        return self.training.crop or self.image_size

    def start(self, model: str) -> InitialWeights:
        """Return where the training of `model` starts."""
        return self.initial_weights_of.get(model, self.initial_weights)


@section
class Params(common.Params):
    """All of params.yaml."""

    seeds: Annotated[list[Seed32], MinLen(2)]
    models: Annotated[dict[str, ModelParams], MinLen(1)]
    members: Annotated[list[str], MinLen(1)]
    training: Recipe
    resume: Resume
    decoded: Decoded
    robustness: Robustness
    explanations: ExplanationParams
    export: ExportParams
    profiles: dict[str, Profile]

    @property
    def active(self) -> Profile:
        """The active profile's section."""
        return self.profiles[self.profile]


def _wrong_together(whole: Params) -> Iterator[str]:
    if ENSEMBLE in whole.models:
        yield f"models.{ENSEMBLE}: so is the models' weighted average called; rename the architecture"
    yield from _wrong_members(whole)
    for kind, severities in vars(whole.robustness.severities).items():
        rising = kind in ("blur", "noise")
        if severities != sorted(set(severities), reverse=not rising):
            yield (
                f"robustness.severities.{kind}: {common.yaml_list(severities)} is not allowed: from mild to"
                f" strong, so {'rising' if rising else 'falling'}, each once"
            )
    names = Counter(condition.name for condition in conditions(whole.robustness))
    yield from (
        f"robustness.severities: two are so close that both are called {name}; keep one"
        for name, count in names.items()
        if count > 1
    )
    for name, profile in whole.profiles.items():
        yield from _wrong_start(f"profiles.{name}.initial_weights_of", profile.initial_weights_of, whole)
        if profile.trained_size > profile.image_size:
            yield (
                f"profiles.{name}.training.crop: {profile.training.crop} is not allowed: at most image_size,"
                f" {profile.image_size}"
            )
        if profile.perturbed_images % 2:
            yield (
                f"profiles.{name}.perturbed_images: {profile.perturbed_images} is not allowed: an even"
                " number, so that both classes are there"
            )
    outside = [name for name in whole.data_sets if name != INTERNAL]
    for name in whole.robustness.like:
        if name not in outside:
            hint = common.did_you_mean(name, outside)
            yield f"robustness.like.{name}: no data set that is only predicted; {hint}"


def _wrong_members(whole: Params) -> Iterator[str]:
    named = {"members": whole.members} | {
        f"profiles.{name}.members": profile.members
        for name, profile in whole.profiles.items()
        if profile.members is not None
    }
    for key, members in named.items():
        for name in members:
            if name not in whole.models:
                yield f'{key}: "{name}" is not one of the models; {common.did_you_mean(name, whole.models)}'
        if len(set(members)) < len(members):
            yield f"{key}: {common.yaml_list(members)} is not allowed: each once"
    active = whole.profiles.get(whole.profile)
    if active and active.members is not None and active.members != whole.members:
        yield (
            f"members: {common.yaml_list(whole.members)} is not allowed: profile {whole.profile} is one of"
            f" {common.yaml_list(active.members)}; set members to that, too"
        )


def _wrong_start(key: str, start: Mapping[str, InitialWeights], whole: Params) -> Iterator[str]:
    for name, weights in start.items():
        if name not in whole.models:
            yield f"{key}.{name}: not one of the models; {common.did_you_mean(name, whole.models)}"
        elif weights == "imagenet" and architecture.find(name).imagenet is None:
            yield f'{key}.{name}: "imagenet" is not allowed: {name} has no ImageNet weights'


CHECK = common.Check(Params, _wrong_together)

if __name__ == "__main__":
    CHECK.main()
