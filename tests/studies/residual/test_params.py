"""Whatever is wrong with residual/params.yaml is named before anything runs."""

import copy
from typing import Any

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.residual.params import CHECK

DATA = params.load(ROOT / "residual/params.yaml")


def changed(path: str, value: Any) -> dict[str, Any]:
    data: Any = copy.deepcopy(DATA)
    *parents, key = path.split(".")
    place = data
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[key]
    else:
        place[key] = value
    return data


def test_the_committed_file_is_in_order() -> None:
    assert CHECK.problems(DATA) == []


NEW = {"model": "vgg16", "connections": "kept", "recipe": "paper"}


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("profile", "huge", 'profile: "huge" is not one of the profiles'),
        ("recipes.paper.warm_up", 1.0, "recipes.paper.warm_up: 1.0 is not allowed"),
        ("recipes.paper.momentum", 0.9, "recipes.paper.momentum: unknown key"),
        ("recipes.paper.schedule", "step", 'recipes.paper.schedule: "step" is not allowed'),
        ("recipes.paper.cut_mix", 1.5, "recipes.paper.cut_mix: 1.5 is not allowed"),
        ("recipes.paper.crop_scale", [0.5, 0.1], "recipes.paper.crop_scale: [0.5, 0.1] is not allowed"),
        ("models.vgg99", {"input_scaling": "unit", "network": {}}, "models.vgg99: no such architecture"),
        ("models.bird_lotfi.input_scaling", "native", 'models.bird_lotfi.input_scaling: "native"'),
        ("models.compact.network.blocks", 0, "models.compact.network.blocks: 0 is not allowed"),
        ("runs.random.vgg16_random.model", "vgg", "runs.random.vgg16_random.model: vgg is none of"),
        ("runs.random.vgg16_random.recipe", "hasty", "runs.random.vgg16_random.recipe: hasty is none of"),
        (
            "runs.random.vgg16_random.connections",
            "removed",
            "runs.random.vgg16_random.connections: only those of resnet18, resnet50",
        ),
        (
            "profiles.cpu.runs.resnet18_imagenet.stem",
            "small",
            "profiles.cpu.runs.resnet18_imagenet.stem: ImageNet's weights are of the imagenet stem alone",
        ),
        ("runs.random.another", NEW, "profiles.sample.runs.another: missing; 0 epochs leave it out"),
        ("runs.imagenet.vgg16_random", NEW, "runs: vgg16_random stands under imagenet and under random"),
        (
            "runs.imagenet.bird_lotfi_imagenet",
            NEW | {"model": "bird_lotfi"},
            "runs.imagenet.bird_lotfi_imagenet: bird_lotfi has no published weights",
        ),
        ("profiles.cpu.runs.vgg16_random.epochs", -1, "profiles.cpu.runs.vgg16_random.epochs: -1"),
        ("profiles.cpu.runs.vgg16_random", None, "profiles.cpu.runs.vgg16_random: missing"),
        ("profiles.cpu.counts.val", 5001, "profiles.cpu.counts.val: 5001 is not allowed"),
        ("profiles.cpu.counts.val", None, "profiles.cpu.counts.val: missing"),
        (
            "profiles.cpu.processor.cpu_isa",
            "AVX2",
            "profiles.cpu.processor.cpu_isa: AVX2 is not allowed",
        ),
        ("runs.random.resnet18_random.connections", "some", "runs.random.resnet18_random.connections: "),
    ],
)
def test_what_is_wrong_is_named_by_its_key(path: str, value: Any, complaint: str) -> None:
    found = CHECK.problems(changed(path, value))
    assert any(line.startswith(complaint) for line in found), found
    assert not any("\n" in line for line in found)


def test_a_profile_that_leaves_everything_out_is_refused() -> None:
    data = changed("profile", "small")
    for extent in data["profiles"]["small"]["runs"].values():
        extent["epochs"] = 0
    assert CHECK.problems(data) == ["profiles.small.runs: leaves every run out; give one of them epochs"]
