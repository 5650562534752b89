"""One run of the whole pipeline, all four detectors, small: what it leaves, and what makes it run again."""

import hashlib
import itertools
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from clones import ENVIRONMENT, ROOT, Clone, of, ran, restored
from modules import has_code, modules_at
from tiny_run import MODELS, NETWORKS, TINY

pytestmark = pytest.mark.timeout(3600)

DETECTORS = [*MODELS, "ensemble"]
# What `dvc metrics` compares of each detector on each data set.
FIGURES = ("accuracy", "f1", "auc", "log_loss")
EVALUATIONS = {"internal": "test", "cifake": "cifake"}
COUNTS = TINY["profiles.sample.counts"]
SIZE = TINY["profiles.sample.image_size"]


@pytest.fixture(scope="session")
def here(whole_run) -> Clone:
    return whole_run.clone


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"p_fake": str}, keep_default_na=False)


def predictions(here: Clone, split: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the labels of a split and each model's P(fake)."""
    tables = {model: table(here / f"predictions/{model}/{split}.csv") for model in MODELS}
    labels = tables["cnn"]["label"].to_numpy()
    return labels, {model: rows["p_fake"].to_numpy().astype(float) for model, rows in tables.items()}


def weights(here: Clone) -> dict[str, float]:
    return read_json(here / "reports/ensemble/weights.json")


def weighted_sum(here: Clone, p_fake: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.sum([weight * p_fake[model] for model, weight in weights(here).items()], axis=0)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def lock(here: Clone) -> dict[str, Any]:
    return here.yaml("dvc.lock")["stages"]


def md5(here: Clone, out: str) -> str:
    """Return the hash of an output in dvc.lock."""
    return next(
        it["md5"] for stage in lock(here).values() for it in stage.get("outs", []) if it["path"] == out
    )


# What ran


def test_every_stage_ran_once_and_all_four_detectors_were_trained(whole_run, here):
    assert sorted(ran(whole_run.log)) == sorted(here.dvc("stage", "list", "--name-only").split())
    assert of("train", ran(whole_run.log)) == [f"train@{model}" for model in MODELS]
    assert restored(whole_run.log) == []


def test_a_second_repro_runs_nothing_and_changes_nothing(here):
    assert ran(here.dvc("repro")) == []
    assert "up to date" in here.dvc("status")
    assert here.changed() == ""


# What it leaves


def test_the_archives_are_laid_out_as_their_publishers_do(here):
    with zipfile.ZipFile(here / "data/raw/internal.zip") as archive:
        names = set(archive.namelist())
        for part in ("train", "valid", "test"):
            header = archive.read(f"{part}.csv").decode().splitlines()[0]
            assert header == ",original_path,id,label,label_str,path"
    images = {name for name in names if not name.endswith(".csv")}
    folders = r"real_vs_fake/real-vs-fake/(train|valid|test)/(real|fake)/[^/]+\.jpg"
    assert images and all(re.fullmatch(folders, name) for name in images)
    with zipfile.ZipFile(here / "data/raw/cifake.zip") as archive:
        names = set(archive.namelist())
    assert names and all(
        re.fullmatch(r"(train|test)/(REAL|FAKE)/\d+( \(\d+\))?\.jpg", name) for name in names
    )


@pytest.mark.parametrize("data_set", EVALUATIONS)
def test_an_index_has_every_image_of_its_archive_sorted_by_path(here, data_set):
    index = table(here / f"data/index/{data_set}.csv")
    assert list(index) == ["path", "label", "sha256", "status"]
    with zipfile.ZipFile(here / f"data/raw/{data_set}.zip") as archive:
        images = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        assert list(index["path"]) == images
        assert list(index["sha256"]) == [hashlib.sha256(archive.read(name)).hexdigest() for name in images]
    assert set(index["status"]) == {"ok"}
    assert list(index["label"]) == [int("fake" in path.lower().split("/")[-2]) for path in images]


def test_the_splits_are_exact_balanced_and_disjoint(here):
    splits = {split: table(here / f"data/splits/{split}.csv") for split in COUNTS}
    for split, rows in splits.items():
        assert list(rows) == ["path", "label", "sha256"]
        assert len(rows) == COUNTS[split]
        assert rows["label"].sum() == COUNTS[split] / 2
    for one, other in itertools.combinations(splits.values(), 2):
        assert not set(one["sha256"]) & set(other["sha256"])


@pytest.mark.parametrize("split", COUNTS)
def test_a_packed_split_holds_its_images_as_they_are_and_in_order(here, split):
    packed = here / "data/packed" / ("cifake" if split == "cifake" else f"internal/{split}")
    rows = table(here / f"data/splits/{split}.csv")
    index = table(packed / "index.csv")
    assert list(index) == ["path", "label", "shard", "offset", "length"]
    assert index[["path", "label"]].equals(rows[["path", "label"]])
    assert all(re.fullmatch(r"\d{5}-of-\d{5}\.tfrecord", shard) for shard in index["shard"])
    for row, sha256 in zip(index.itertuples(), rows["sha256"], strict=True):
        image = (packed / row.shard).read_bytes()[row.offset : row.offset + row.length]
        assert hashlib.sha256(image).hexdigest() == sha256


@pytest.mark.parametrize("model", MODELS)
def test_predictions_are_in_the_splits_order_and_in_full_precision(here, model):
    for split in ("val", "test", "cifake"):
        predicted = table(here / f"predictions/{model}/{split}.csv")
        assert list(predicted) == ["path", "label", "p_fake"]
        assert predicted[["path", "label"]].equals(
            table(here / f"data/splits/{split}.csv")[["path", "label"]]
        )
        assert all(str(np.float32(p)) == p and 0 <= float(p) <= 1 for p in predicted["p_fake"])


def test_perturbed_images_are_some_of_the_split_under_each_condition(here):
    found = json.loads((here / "reports/robustness/figures.json").read_text())
    assert (found["images"], found["fake_images"]) == (8, 4)
    split = list(table(here / "predictions/cnn/test.csv")["path"])
    for model in MODELS:
        files = {file.stem: table(file) for file in (here / "predictions_perturbed" / model).glob("*.csv")}
        assert set(files) == set(found["conditions"])
        for predicted in files.values():
            assert list(predicted["path"]) == [path for path in split if path in set(predicted["path"])]
            assert len(predicted) == 8 and predicted["p_fake"].astype(float).between(0, 1).all()
    assert "CIFAKE" in (here / "reports/robustness.html").read_text()


def test_the_pictures_are_a_page_for_dvc_and_not_for_git(here):
    shown = json.loads((here / "reports/explanations/images.json").read_text())
    assert set(shown) == {"internal", "cifake"}
    page = (here / "reports/explanations/index.html").read_text()
    for gallery in shown.values():
        assert all(image["path"] in page for images in gallery["outcomes"].values() for image in images)
    assert not here.git("ls-files", "reports/explanations", "predictions_perturbed/*/*.csv").strip()


@pytest.mark.parametrize("model", MODELS)
def test_learning_curves_are_laid_out_as_dvclive_does_and_stand_in_git_too(here, model):
    in_git = pd.read_csv(here / "reports/training/curves.csv").query("detector == @model")
    assert list(in_git["epoch"]) == [1]
    for split, prefix in {"train": "", "val": "val_"}.items():
        for metric in ("loss", "accuracy"):
            curve = pd.read_csv(here / f"models/curves/{model}/plots/metrics/{split}/{metric}.tsv", sep="\t")
            assert list(curve) == ["step", metric]
            assert list(curve["step"]) == [1]
            assert list(curve[metric]) == list(in_git[f"{prefix}{metric}"])
    summary = read_json(here / f"models/curves/{model}/metrics.json")
    assert read_json(here / "reports/training/metrics.json")[model] == summary


def test_git_holds_the_reports_and_dvc_the_rest(here):
    in_git, by_dvc = set(here.git("ls-files").split()), set(here.dvc("ls", ".", "-R", "--dvc-only").split())
    assert {f"reports/evaluation/{name}/metrics.json" for name in EVALUATIONS} <= in_git
    assert {f"models/{name}.keras" for name in DETECTORS} <= by_dvc
    pictures = {path for path in by_dvc if path.startswith("reports/explanations/")}
    assert {path.partition("/")[0] for path in by_dvc - pictures} == {
        *("data", "models", "predictions", "predictions_perturbed")
    }
    assert not in_git & by_dvc


# What its figures are


def test_the_weights_are_the_shares_of_the_validation_accuracies(here):
    labels, p_fake = predictions(here, "val")
    accuracies = {model: metrics.accuracy_score(labels, p >= 0.5) for model, p in p_fake.items()}
    assert list(weights(here)) == MODELS
    assert len(set(weights(here).values())) > 1, "all alike: they would be so by another rule as well"
    for model, weight in weights(here).items():
        assert weight == pytest.approx(accuracies[model] / sum(accuracies.values()), abs=1e-12)


@pytest.mark.parametrize(("evaluation", "split"), EVALUATIONS.items())
def test_every_metric_is_what_scikit_learn_makes_of_the_predictions(here, evaluation, split):
    labels, p_fake = predictions(here, split)
    p_fake["ensemble"] = weighted_sum(here, p_fake)
    found = read_json(here / f"reports/evaluation/{evaluation}/metrics.json")
    assert list(found) == DETECTORS
    for detector, p in p_fake.items():
        fake = p >= 0.5
        assert found[detector] == pytest.approx(
            {
                "accuracy": metrics.accuracy_score(labels, fake),
                "precision": metrics.precision_score(labels, fake, zero_division=0),
                "recall": metrics.recall_score(labels, fake),
                "f1": metrics.f1_score(labels, fake),
                "auc": metrics.roc_auc_score(labels, p),
                "average_precision": metrics.average_precision_score(labels, p),
                "log_loss": metrics.log_loss(labels, p),
                "brier": metrics.brier_score_loss(labels, p),
                "ece": calibration_error(labels, p),
                "n": COUNTS[split],
            },
            rel=1e-9,  # the table's digits are ten
            abs=1e-9,
        )


def calibration_error(labels: np.ndarray, p: np.ndarray) -> float:
    """Return the ECE over 15 bins of equal width: the last one holds its upper end."""
    edges = [k / 15 for k in range(1, 15)]
    error = 0.0
    for k in range(15):
        within = np.searchsorted(edges, p, side="right") == k
        if within.any():
            error += within.mean() * abs(labels[within].mean() - p[within].mean())
    return error


@pytest.mark.parametrize(("evaluation", "split"), EVALUATIONS.items())
def test_confusion_matrices_count_all_images(here, evaluation, split):
    labels, p_fake = predictions(here, split)
    counted = table(here / f"reports/evaluation/{evaluation}/confusion.csv")
    for model, p in p_fake.items():
        (tn, fp), (fn, tp) = metrics.confusion_matrix(labels, p >= 0.5)
        rows = counted[counted["detector"] == model]
        cells = {(row.actual, row.predicted): row.images for row in rows.itertuples()}
        assert cells == {
            ("real", "real"): tn,
            ("real", "fake"): fp,
            ("fake", "real"): fn,
            ("fake", "fake"): tp,
        }


ENSEMBLE = """
import io, sys, zipfile
import keras, numpy as np
from PIL import Image
from deepfake_ensemble.reading.images import resize
out, size, *names = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
with zipfile.ZipFile("data/raw/internal.zip") as archive:
    files = [resize(Image.open(io.BytesIO(archive.read(name))).convert("RGB"), size) for name in names]
images = np.stack([np.asarray(file) for file in files])
model = keras.saving.load_model("models/ensemble.keras")
assert model.input_shape == (None, size, size, 3), model.input_shape
np.save(out, np.stack([model.predict_on_batch(images.astype(of))[:, 0] for of in ("uint8", "float32")]))
"""


def test_the_ensemble_is_one_model_from_pixels_to_the_weighted_sum_of_its_members(here, tmp_path):
    _, p_fake = predictions(here, "test")
    names = list(table(here / "data/splits/test.csv")["path"])
    out = tmp_path / "p_fake.npy"
    here.run(sys.executable, "-c", ENSEMBLE, str(out), str(SIZE), *names, environment={"PYTHONPATH": "src"})
    for p in np.load(out):
        assert np.abs(p - weighted_sum(here, p_fake)).max() <= 1e-5


# What a researcher is shown


def test_metrics_are_what_one_compares_and_fit_a_page(here):
    header, *rows = here.dvc("metrics", "show").splitlines()
    figures = {f"{detector}.{name}" for detector in DETECTORS for name in FIGURES}
    assert set(header.split()) == {"Path", *figures}
    assert {row.split()[0] for row in rows} == {f"reports/metrics/{name}.json" for name in EVALUATIONS}
    assert len(figures) * len(rows) <= 40
    assert max(map(len, [header, *rows])) <= 400
    assert len(here.dvc("metrics", "diff", "--all", "HEAD").splitlines()) <= 70


def test_plots_are_shown(here, tmp_path):
    here.dvc("plots", "show", "--quiet", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    _, *parts = re.split(r'<div id = "([^"]+)">', page)
    drawn = dict(zip(parts[::2], parts[1::2], strict=True))

    def detectors(plot: str) -> set[str]:
        (found,) = (text for name, text in drawn.items() if plot in name)
        return set(re.findall(r'"detector": "(\w+)"', found))

    for evaluation in EVALUATIONS:
        for kind in ("roc", "precision_recall", "confusion"):
            assert detectors(f"{evaluation}_{kind}") == set(DETECTORS)
    assert detectors("reliability") == set(DETECTORS)
    assert detectors("validation_loss") == set(MODELS)
    for plot in ("reliability", "weightings", "leave_one_out"):
        assert set(re.findall(r'"data_set": "(\w+)"', drawn[plot])) == set(EVALUATIONS)


# What the stages import


def imports(log: str) -> dict[str, set[str]]:
    """Return the modules that each stage imported, as Python reported them while it ran."""
    _, *parts = re.split(r"^Running stage '([^']+)':$", log, flags=re.MULTILINE)
    return {
        name: set(re.findall(r"^import time: +\d+ \| +\d+ \| *(\S+)$", text, flags=re.MULTILINE))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_only_the_stages_that_run_networks_import_tensorflow(whole_run):
    for name, modules in imports(whole_run.log).items():
        for library in ("tensorflow", "keras"):
            assert (library in modules) == (name.partition("@")[0] in NETWORKS), name


def test_what_a_stage_imports_while_it_runs_is_what_dvc_watches(whole_run, here):
    locked = lock(here)
    for name, modules in imports(whole_run.log).items():
        item = name.partition("@")[2]
        imported = {
            source_of(here, module)
            for module in modules
            # Trackers are told and never asked, and the package's own file computes nothing.
            if module.startswith("deepfake_ensemble.") and not module.startswith("deepfake_ensemble.tracking")
        }
        # Python reports neither the module that it was started with nor one that is imported by its name.
        started = re.findall(r"-m (deepfake_ensemble[\w.]+)", locked[name]["cmd"])
        imported |= {source_of(here, module) for module in started}
        if item and "deepfake_ensemble.models.architecture" in modules:
            imported.add(source_of(here, f"deepfake_ensemble.architectures.{item}"))
        deps = [here / dep["path"] for dep in locked[name]["deps"] if dep["path"].startswith("src/")]
        watched = {str(file.relative_to(here.folder)) for dep in deps for file in modules_at(dep)}
        assert {file for file in imported if has_code(here / file)} <= watched, name


def source_of(here: Clone, module: str) -> str:
    path = f"src/{module.replace('.', '/')}"
    return f"{path}/__init__.py" if (here / path).is_dir() else f"{path}.py"


def test_the_arithmetic_needs_no_tensorflow(here, tmp_path):
    for library in ("tensorflow", "keras"):
        (tmp_path / f"{library}.py").write_text(f"raise ImportError('{library} is not for this stage')\n")
    arithmetic = ("curves", "weigh", "evaluate", "compare", "robustness", "report")
    for name, stage in lock(here).items():
        if name.partition("@")[0] in arithmetic:
            command = stage["cmd"].split()
            done = subprocess.run(
                [sys.executable, *command[command.index("-m") :]],
                cwd=here.folder,
                env={**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}:src"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"
    assert here.changed() == ""


# What makes it run again


def promised() -> dict[str, set[str]]:
    """Return by folder of the package the stages that an edit in it reruns, as CONTRIBUTING.md has them."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)` \| [^|]* \| ([^|]*) \| [^|]* \|$", text, flags=re.MULTILINE)
    return {
        folder: {name for name, files in re.findall(r"`(\w+)`( \([^)]*\))?", reruns) if not files}
        for folder, reruns in rows
        if "all stages" not in reruns
    }


def test_an_edit_in_a_room_reruns_exactly_the_stages_that_the_tree_promises(workspace):
    rooms = promised()
    assert len(rooms) > 15
    trained = {room for room, stages in rooms.items() if "train" in stages}
    assert trained == {"reading", "models", "training/shared", "training/ensemble"}
    for room, stages in rooms.items():
        files = sorted((workspace / f"src/deepfake_ensemble/{room}").glob("[!_]*.py"))
        # Of some files a few stages depend by themselves.
        edited = next(
            (
                file
                for file in files
                if file.stem not in {"complexity", "costs", "data_set", "hardware", "params"}
            ),
            None,
        )
        if edited is None or room == "architectures":
            continue
        before = edited.read_bytes()
        edited.write_bytes(before + b"# edited\n")
        status = json.loads(workspace.dvc("status", "--json"))
        edited.write_bytes(before)
        changed = {
            name.partition("@")[0]
            for name, why in status.items()
            if any(path.startswith("src/") for each in why for path in each.get("changed deps", {}))
        }
        assert changed == stages, f"{room}: {edited.name}"


def test_an_edit_of_one_architecture_reruns_its_own_model_alone(workspace):
    file = workspace / "src/deepfake_ensemble/architectures/xception.py"
    file.write_bytes(file.read_bytes() + b"# edited\n")
    assert set(json.loads(workspace.dvc("status", "--json"))) == {
        "check",  # it reads what every architecture asks of params.yaml
        "initialise@xception",
        "train@xception",
    }


@pytest.mark.pipeline
def test_a_learning_rate_trains_its_model_and_no_other(lower_rate):
    assert of("train", ran(lower_rate.log)) == ["train@resnet50"]
    assert of("predict", ran(lower_rate.log)) == ["predict@resnet50"]
    assert of("initialise", ran(lower_rate.log)) == []


@pytest.mark.pipeline
def test_the_value_given_to_an_experiment_arrives_as_a_number(here, lower_rate, workspace):
    workspace.dvc("exp", "apply", lower_rate.name)
    with zipfile.ZipFile(here / "models/resnet50.keras") as archive:
        used = json.loads(archive.read("fingerprint.json"))["params"]["models.resnet50"]["learning_rate"]
    assert isinstance(used, float)
    assert used == 2e-5


@pytest.mark.pipeline
def test_going_back_takes_everything_from_the_run_cache(lower_rate):
    assert not NETWORKS & {name.partition("@")[0] for name in ran(lower_rate.back)}
    assert {"train@resnet50", "predict@resnet50", "assemble"} <= set(restored(lower_rate.back))
    assert lower_rate.left == ""


def test_another_weighting_runs_no_network(workspace):
    before = weights(workspace)
    log = workspace.dvc("exp", "run", "--set-param", "ensemble.weighting=uniform", "report")
    assert {name.partition("@")[0] for name in ran(log)} == {
        "check",
        "weigh",
        "evaluate",
        "compare",
        "report",
    }
    assert before != weights(workspace) == dict.fromkeys(MODELS, 0.25)


def trained_weights(here: Clone, model: str) -> bytes:
    with zipfile.ZipFile(here / f"models/{model}.keras") as archive:
        return archive.read("model.weights.h5")


@pytest.mark.pipeline
def test_a_repeated_training_gives_the_same_bytes(workspace):
    before = md5(workspace, "models/cnn.keras")
    assert ran(workspace.dvc("repro", "--force", "--single-item", "train@cnn")) == ["train@cnn"]
    assert md5(workspace, "models/cnn.keras") == before
    assert workspace.changed() == ""


@pytest.mark.pipeline
def test_another_seed_gives_other_weights(workspace):
    initial, trained = md5(workspace, "models/initial/cnn.weights.h5"), trained_weights(workspace, "cnn")
    log = workspace.dvc("exp", "run", "--set-param", "seed=7", "train@cnn")
    assert ran(log) == ["initialise@cnn", "train@cnn"]
    assert md5(workspace, "models/initial/cnn.weights.h5") != initial
    assert trained_weights(workspace, "cnn") != trained
