"""What `make residual-plan` says of each stage: numbers that follow from params.yaml."""

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.common.planning import Known, Step
from deepfake_ensemble.studies.residual.params import Params, Runs
from deepfake_ensemble.studies.residual.plan import PLAN
from deepfake_ensemble.studies.residual.report import paper

FILE = ROOT / "residual/params.yaml"


def planned(profile: str, *names: str) -> dict[str, Step]:
    whole = params.check("", params.load(FILE) | {"profile": profile}, Params)
    pipeline = [Known(name, "Does it.", "yes", "seed", None) for name in names]
    return {f"{step.stage}@{step.item}": step for step in PLAN.steps(whole, pipeline)}


def test_the_paper_s_training_is_there_in_numbers() -> None:
    step = planned("paper", "finetune@resnet152_imagenet")["finetune@resnet152_imagenet"]
    assert step.numbers["images"] == 95_000 and step.numbers["image_size"] == 224
    assert (step.numbers["batches"], step.numbers["updates"]) == (14_845, 3_711)
    # Every 600 batches, and at the end.
    assert step.numbers["evaluations"] == 25
    assert step.numbers["learning_rate"] == 5e-5
    assert step.gpu and "14,845 batches, 3,711 updates" in step.text


def test_the_network_of_cifake_s_authors_has_their_size_of_images() -> None:
    step = planned("paper", "train@bird_lotfi_random")["train@bird_lotfi_random"]
    assert step.numbers["image_size"] == 32 and "images of 32 pixels" in step.text


def test_every_run_of_the_paper_s_recipes_is_trained_and_predicted() -> None:
    runs = params.read("runs", Runs, FILE)
    names = [f"{'finetune' if run in runs.imagenet else 'train'}@{run}" for run in runs.all]
    for name, step in planned("paper", *names).items():
        ours = runs.all[name.partition("@")[2]].recipe not in ("paper", "constant")
        assert ("left_out" in step.numbers) == ours


def test_what_the_sample_leaves_out_says_why() -> None:
    left_out = ("finetune@vgg16_imagenet", "predict_finetuned@vgg16_imagenet")
    found = planned("sample", *left_out, "fetch@vgg16", "pack@internal")
    for name in left_out:
        assert (
            found[name].text == "nothing: it starts from ImageNet weights, which this profile does not fetch"
        )
        assert not found[name].gpu
    assert found["fetch@vgg16"].text.startswith("nothing")
    assert found["pack@internal"].numbers == {"images": 160 + 64 + 224, "shards": 3}


@pytest.mark.parametrize("run", params.read("runs", Runs, FILE).all)
def test_the_paper_s_figure_stands_beside_the_run_that_repeats_it(run: str) -> None:
    expected = {
        "resnet18_imagenet": 0.928,
        "resnet152_imagenet": 0.963,
        "resnet152_imagenet_plain": 0.592,
        "resnet50_random_plain": 0.504,
        "bird_lotfi_random": 0.936,
        "efficientnet_b3_imagenet": 0.880,
    }
    if run in expected:
        assert paper.F1[run] == expected[run]
    elif run.startswith(("fast_", "efficientnet_lite0_")) or run.endswith(("_constant", "_random")):
        assert run not in paper.F1
    else:
        assert run in paper.F1
