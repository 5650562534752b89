"""The plan says in numbers what a profile does, and the document what was measured."""

from typing import Any

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.pipeline.generated import filled
from deepfake_ensemble.pipeline.plan import Known
from deepfake_ensemble.residual.pipeline import document, plan, schema

FILE = ROOT / "residual/params.yaml"


def planned(profile: str, *names: str) -> dict[str, Any]:
    data = params.load(FILE) | {"profile": profile}
    whole = params.check("", data, schema.Params)
    pipeline = [
        Known(name, "Does it.", "yes", "../src/deepfake_ensemble/foundation/params.py, seed", None)
        for name in names
    ]
    return {f"{step.stage}@{step.item}": step for step in plan.steps(whole, pipeline)}


def test_the_paper_s_training_is_there_in_numbers() -> None:
    step = planned("paper", "finetune@resnet152_imagenet")["finetune@resnet152_imagenet"]
    assert step.numbers["images"] == 95_000 and step.numbers["image_size"] == 224
    assert (step.numbers["batches"], step.numbers["updates"]) == (14_845, 3_711)
    # Every 600 batches, and at the end.
    assert step.numbers["evaluations"] == 25
    assert step.numbers["learning_rate"] == 5e-5
    assert step.gpu and "14,845 batches, 3,711 updates" in step.text


def test_every_run_of_profile_paper_is_trained_and_predicted() -> None:
    runs = params.read("runs", schema.Runs, FILE)
    names = [f"{'finetune' if run in runs.imagenet else 'train'}@{run}" for run in runs.all]
    for name, step in planned("paper", *names).items():
        assert ("left_out" in step.numbers) == ("fast_" in name)


def test_what_the_sample_leaves_out_says_why() -> None:
    found = planned("sample", "finetune@vgg16_imagenet", "predict@vgg16_imagenet", "fetch@vgg16", "pack@val")
    for name in ("finetune@vgg16_imagenet", "predict@vgg16_imagenet"):
        assert (
            found[name].text == "nothing: it starts from ImageNet weights, which this profile does not fetch"
        )
        assert not found[name].gpu
    assert found["fetch@vgg16"].text.startswith("nothing")
    assert found["pack@val"].numbers == {"images": 64}


def test_changed_code_is_called_code() -> None:
    assert planned("sample", "split")["split@"].why == "code, seed"


MACHINE = {"cpu": "A processor", "cores": 2, "gpu": None}
F1 = {"value": 0.98765, "ci_low": 0.98, "ci_high": 0.99}
RUN = {
    "run": "resnet18_random_plain",
    "profile": "cpu",
    "training_images": 95_000,
    "epochs": 3,
    "stem": "small",
    "f1_official": F1,
    "f1_leak_free": F1,
    "minutes": 110.24,
    "times_scored": 1,
    "machine": MACHINE,
}


def test_the_document_shows_what_was_measured_and_says_where_nothing_was() -> None:
    cost = {
        "trainable": 11_177_025,
        "multiply_adds": 37_011_968,
        "trained_per_second": 100.0,
        "training_peak_mib": 900,
        "predicted_per_second": 400.0,
        "prediction_peak_mib": 700,
    }
    costs = {"machine": MACHINE, "image_size": 32, "networks": {"resnet18": cost}}
    scores = {"val_f1": 0.91234, "val_precision": 0.9, "val_recall": 0.925, "val_accuracy": 0.911}
    trial = {
        "run": "fast_15",
        "changed": ["recipes.fast_15.epochs=1"],
        "points": [{"minutes": 2.5, **scores}],
    }
    found = document.parts({"runs": [RUN]}, [trial], [costs])
    assert "ResNet18, random weights, without residual connections" in found["results"]
    assert found["results"].startswith("1 run, on A processor, 2 cores.")
    assert "0.9877 (0.9800–0.9900)" in found["results"] and "110.2" in found["results"]
    assert "11.18" in found["cost"] and "A processor, 2 cores" in found["cost"]
    assert "`recipes.fast_15.epochs=1`" in found["trials"] and "0.9123" in found["trials"]
    assert set(document.parts(None, [], []).values()) == {document.NOTHING}


def test_the_committed_document_is_what_the_measurements_give() -> None:
    text = (ROOT / document.DOCUMENT).read_text(encoding="utf-8")
    parts = document.measured_parts(ROOT)
    assert filled(text, parts, document.DOCUMENT) == text, "run `make residual-results`"
    with pytest.raises(UserError):
        filled(text.replace("<!-- cost: ", "<!-- "), parts, document.DOCUMENT)
