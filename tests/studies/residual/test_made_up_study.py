"""From invented predictions and curves to the report: the stages that do arithmetic, run for real."""

import csv
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from ruamel.yaml import YAML

from clones import ROOT
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.files import write_csv, write_json
from deepfake_ensemble.inference import left_out as results_folder
from deepfake_ensemble.studies.residual.report import page, paper
from deepfake_ensemble.training.residual.curves import EVALUATED, RECORDED
from deepfake_ensemble.workflow import residual_results

DONE = {
    "resnet18_random": 1.5,
    "resnet18_random_plain": 0.4,
    "resnet152_random": 2.0,
    "resnet152_random_constant": 1.2,
    "bird_lotfi_random": 1.0,
    "fast_15": 2.5,
}
BLOCK = {"convolutions": [3, 3], "connection": "identity"}
STAGE = {"name": "conv2", "side": 8, "channels": 64, "blocks": [BLOCK, BLOCK]}
OUTLINES = {
    "resnet18_random": [STAGE],
    "resnet18_random_plain": [STAGE | {"blocks": [BLOCK | {"connection": None}] * 2}],
}
ARITHMETIC = ("evaluate official test", "evaluate leak_free leak_free", "curves", "mistakes", "report")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like residual/, up to the predictions, with what follows run there."""
    folder = tmp_path_factory.mktemp("project") / "residual"
    folder.mkdir()
    yaml = YAML()
    params = yaml.load((ROOT / "residual/params.yaml").read_text(encoding="utf-8"))
    params["profiles"]["sample"]["counts"] = {"train": 120, "val": 40, "test": 160}
    params["comparison"]["resamples"] = 100
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    archive(folder / "data/raw/internal.zip")
    run(folder, "deepfake_ensemble.studies.common.stages.audit internal", blocked=False)
    run(folder, "deepfake_ensemble.studies.residual.stages.split")
    run(folder, "deepfake_ensemble.studies.common.stages.pack internal")
    everything = [*params["runs"]["imagenet"], *params["runs"]["random"]]
    for name in everything:
        if name in DONE:
            invent(folder, name, DONE[name])
        else:
            for kind in ("models/trained", "predictions"):
                results_folder.leave_out(folder / kind / name, "this profile leaves it out")
    costs = {"image_size": 32, "stem": "small", "multiply_adds": 10**8, "trainable": 10**6, "all": 10**6}
    networks = {"runs": dict.fromkeys(everything, costs), "outlines": OUTLINES}
    write_json(folder / "reports/networks.json", networks)
    norms = {"layers": ["first", "last"], "norms": [1.0, 2.0]}
    vanishing = {"layers": ["first", "last"], "norms": [0.01, 2.0]}
    gradients = {"images": 32, "with_connections": {"resnet18_random_plain": norms}}
    write_json(
        folder / "reports/gradients.json", gradients | {"without": {"resnet18_random_plain": vanishing}}
    )
    for stage in ARITHMETIC:
        run(folder, f"deepfake_ensemble.studies.residual.stages.{stage}")
    return folder


def archive(path: Path) -> None:
    layout, rng = LAYOUTS["cifake"], np.random.default_rng(1)
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as out:
        leaked = b""
        for class_folder, place in layout.folders().items():
            for suffix in layout.subjects:
                for number in range(8):
                    data = io.BytesIO()
                    noise = rng.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
                    Image.fromarray(noise).save(data, "JPEG", quality=75)
                    content = data.getvalue()
                    if place.label == 1 and suffix == "3" and number == 0:
                        content = leaked = leaked or content  # the same file in train and in test
                    name = f"{number:04}{f' ({suffix})' if suffix else ''}.jpg"
                    out.writestr(f"{class_folder}{name}", content)


def invent(folder: Path, name: str, skill: float) -> None:
    for split in ("val", "test"):
        with (folder / "data/splits" / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        labels = np.array([int(row["label"]) for row in rows])
        noise = np.random.default_rng([sum(map(ord, name)), len(split)]).normal(size=len(rows))
        p_fake = 1 / (1 + np.exp(-skill * (2 * labels - 1) - noise))
        write_csv(
            folder / "predictions" / name / f"{split}.csv",
            ("path", "label", "p_fake"),
            [(row["path"], row["label"], float(np.float32(p))) for row, p in zip(rows, p_fake, strict=True)],
        )
    curves: dict[str, Any] = {"best": 1, "batch": [1, 10, 20, 25, 30], "val_batch": [10, 20, 30]}
    curves |= {figure: [0.5, 0.4, 0.3, 0.2, 0.1] for figure in RECORDED[1:]}
    curves |= {figure: [0.5, 0.25, 0.125] for figure in EVALUATED[1:]}
    write_json(folder / "models/trained" / name / "curves.json", curves)
    write_json(folder / "models/trained" / name / "fingerprint.json", {"digest": f"of {name}"})


def run(folder: Path, command: str, blocked: bool = True, fails: bool = False) -> str:
    """Run a stage as DVC does, with TensorFlow out of its reach."""
    walls = folder / "blocked"
    walls.mkdir(exist_ok=True)
    for name in ("tensorflow", "keras", "sklearn"):
        (walls / f"{name}.py").write_text(f"raise ImportError('{name} is not for this stage')\n")
    path = [*([str(walls)] if blocked else []), str(ROOT / "src")]
    ran = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode != 0) == fails, ran.stderr
    return ran.stdout + ran.stderr


def read(home: Path, name: str) -> Any:
    return json.loads((home / "reports" / name).read_text(encoding="utf-8"))


def test_every_run_that_was_done_is_scored_and_the_others_say_why_not(home: Path) -> None:
    official = read(home, "evaluation/official/metrics.json")
    assert official.keys() == {*DONE, "ensemble"}
    compared = read(home, "evaluation/official/comparison.json")
    runs = yaml.safe_load((ROOT / "residual/params.yaml").read_text(encoding="utf-8"))["runs"]
    assert {*compared["left_out"], *DONE} == {*runs["imagenet"], *runs["random"]}
    assert set(compared["left_out"].values()) == {"this profile leaves it out"}


def test_scores_are_scikit_learn_s(home: Path) -> None:
    from sklearn.metrics import f1_score, recall_score

    with (home / "predictions/fast_15/test.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = [int(row["label"]) for row in rows]
    called = [float(row["p_fake"]) >= 0.5 for row in rows]
    scored = read(home, "evaluation/official/metrics.json")["fast_15"]
    assert scored["f1"] == pytest.approx(f1_score(labels, called))
    assert scored["recall"] == pytest.approx(recall_score(labels, called))


def test_the_leak_free_set_lacks_the_one_leaked_file(home: Path) -> None:
    sets = {name: read(home, f"evaluation/{name}/comparison.json") for name in ("official", "leak_free")}
    assert sets["official"]["n"] == 160
    summary = read(home, "data/splits.json")
    assert sets["leak_free"]["n"] == summary["leak_free"]["images"]
    with (home / "data/index/internal.csv").open(encoding="utf-8") as file:
        trained_on = {row["sha256"] for row in csv.DictReader(file) if row["path"].startswith("train/")}
    with (home / "data/splits/test.csv").open(encoding="utf-8") as file:
        leaked = [row["path"] for row in csv.DictReader(file) if row["sha256"] in trained_on]
    assert leaked == ["test/FAKE/0000 (3).jpg"]
    assert summary["leak_free"]["images"] == 159


def test_neighbours_are_those_by_f1_and_tested_on_the_same_images(home: Path) -> None:
    compared = read(home, "evaluation/official/comparison.json")
    ranked = list(compared["intervals"])
    f1 = [compared["intervals"][name]["f1"]["value"] for name in ranked]
    assert f1 == sorted(f1, reverse=True)
    pairs = [(pair["first"], pair["second"]) for pair in compared["neighbours"].values()]
    assert pairs == list(pairwise(ranked))
    for pair in compared["neighbours"].values():
        assert pair["mcnemar"]["p_holm"] >= pair["mcnemar"]["p_value"]
        assert pair["f1"]["value"] >= 0


def test_the_best_run_is_chosen_by_validation_not_by_the_test_set(home: Path) -> None:
    from sklearn.metrics import f1_score

    def f1(name: str) -> float:
        with (home / f"predictions/{name}/val.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return f1_score([int(row["label"]) for row in rows], [float(row["p_fake"]) >= 0.5 for row in rows])

    compared = read(home, "evaluation/official/comparison.json")
    best, on_validation = compared["best"], compared["validation"]
    assert f1(best) == max(map(f1, DONE))
    assert {name: of["f1"] for name, of in on_validation.items()} == pytest.approx({n: f1(n) for n in DONE})
    assert read(home, "evaluation/leak_free/comparison.json")["best"] == best


def test_the_average_is_over_the_paper_s_networks_as_they_are(home: Path) -> None:
    weights = read(home, "evaluation/official/comparison.json")["ensemble_weights"]
    assert set(weights) == {"resnet18_random", "resnet152_random", "bird_lotfi_random"}
    assert sum(weights.values()) == pytest.approx(1)


def test_curves_of_what_was_done_are_a_table_for_plots(home: Path) -> None:
    with (home / "reports/training/curves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["run", *RECORDED, *EVALUATED[1:]]
    assert {row["run"] for row in rows} == set(DONE)
    shown = [(row["batch"], row["loss"], row["val_f1"]) for row in rows if row["run"] == "fast_15"]
    assert shown == [
        ("1", "0.5", ""),
        ("10", "0.4", "0.5"),
        ("20", "0.3", "0.25"),
        ("25", "0.2", ""),
        ("30", "0.1", "0.125"),
    ]
    kept = read(home, "training/metrics.json")["fast_15"]
    assert (kept["batches"], kept["best_batch"], kept["loss"], kept["val_f1"]) == (30, 20, 0.3, 0.25)


def test_the_report_has_a_row_for_all_of_the_paper_and_only_figures_from_its_files(home: Path) -> None:
    text = (home / "reports/report.html").read_text(encoding="utf-8")
    for name in ("ResNet18", "ResNet50", "ResNet101", "ResNet152", "VGG16", "EfficientNet-B4"):
        assert name in text
    # Every printed contradiction, and "not run" where this study has nothing.
    for number, each in enumerate(paper.CONTRADICTIONS, start=1):
        assert each.text in html.unescape(text)
        # Its number stands wherever the table has what it is about.
        assert text.count(f'<a href="#contradiction-{number}">{number}</a>') >= len(each.at)
    assert text.count("not run") > 20
    assert "These figures say nothing about CIFAKE" in text and paper.CITED in html.unescape(text)
    assert "Table 1: fine-tuning" in text
    # The ablation in both readings: every connection, and one a stage.
    assert "ResNet152, 2: only one connection a stage removed" in text
    assert "Of each stage the first is removed from ResNet152, ImageNet weights" in text
    assert text.count("of calling everything fake") == 2
    opening = re.sub(r"<[^>]+>", "", text.partition('<p class="answer">')[2].partition("</p>")[0])
    n = read(home, "evaluation/official/comparison.json")["n"]
    assert " runs " in opening and "has the highest F1 on validation." in opening
    assert f"On the test set as published ({n} images) its F1 is" in opening
    assert opening.count("(tested by turning the interval round)") == 1
    assert "the best network" not in text and "the best run" not in text
    assert text.count('<th scope="row">a constant answer</th>') == 1
    assert text.count("; a constant answer: accuracy") == 3
    f1 = read(home, "evaluation/official/comparison.json")["intervals"]["fast_15"]["f1"]["value"]
    assert f'<data value="{f1!r}">' in text
    assert "<svg" in text and re.search(r"https?://", re.sub(r'xmlns[^"]*"[^"]*"', "", text)) is None


def test_a_run_that_is_alone_is_compared_with_nothing(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "residual"
    shutil.copytree(home, folder)
    for name in DONE.keys() - {"fast_15"}:
        for kind in ("models/trained", "predictions"):
            shutil.rmtree(folder / kind / name)
            results_folder.leave_out(folder / kind / name, "this profile leaves it out")
    for stage in ARITHMETIC:
        run(folder, f"deepfake_ensemble.studies.residual.stages.{stage}")
    text = (folder / "reports/report.html").read_text(encoding="utf-8")
    opening = re.sub(r"<[^>]+>", "", text.partition('<p class="answer">')[2].partition("</p>")[0])
    assert opening.strip().startswith(
        "The only run of this profile is compact network, 15 minutes. On the test"
    )
    assert "There is one run, and none beside it." in text
    assert "Table 1: fine-tuning" not in text  # it has its own recipe
    assert "Too few of these runs" not in text
    assert "neighbours by F1" not in text and "The runs that differ in one thing alone" not in text


def test_the_flow_is_that_of_the_recipes_that_were_used() -> None:
    recipes = params.load(ROOT / "residual/params.yaml")["recipes"]
    assert page.recipes_in_words([recipes["lite0_60"]]) == (
        "flip,\nnormalise",
        "AdamW;\nlearning rate\ncosine",
    )
    still = recipes["lite0_60"] | {"symmetry": "none"}
    assert page.recipes_in_words([still])[0] == "normalise"
    assert page.recipes_in_words([recipes["paper"], recipes["constant"], recipes["fast_15"]]) == (
        "crop, flip,\nnormalise",
        "AdamW or Muon;\nlearning rate\nlinear or constant",
    )


def test_each_claim_of_the_paper_gets_a_verdict(home: Path) -> None:
    text = html.unescape((home / "reports/report.html").read_text(encoding="utf-8"))
    contrasts = read(home, "evaluation/official/comparison.json")["contrasts"]
    assert list(contrasts) == [
        "resnet18_random_vs_resnet18_random_plain",
        "resnet152_random_vs_resnet152_random_constant",
    ]
    assert "That residual connections raise F1 is shown." in text
    assert "That ImageNet weights raise F1 cannot be told from this run." in text
    assert "That the deeper of two ResNets has the higher F1 cannot be told from this run." in text
    assert "gradient vanishes on its way to the first layer is seen at the start of these." in text
    assert "ResNet18, random weights: norm of the gradient at each convolution" in text
    # Both of these made-up losses fall to the end.
    assert "That the schedule prevents overfitting is not shown." in text


def test_the_look_of_mistakes_is_told_of_the_best_run_and_of_resnet152(home: Path) -> None:
    found = read(home, "mistakes.json")["runs"]
    compared = read(home, "evaluation/official/comparison.json")
    assert list(found) == list(dict.fromkeys([compared["best"], "resnet152_random"]))
    for name, of in found.items():
        counts = compared["confusion"][name]
        assert {kind: group["wrong"] for kind, group in of["classes"].items()} == {
            "real": counts["fp"],
            "fake": counts["fn"],
        }
        assert len(of["subjects"]) == 10
    text = html.unescape((home / "reports/report.html").read_text(encoding="utf-8"))
    for claim in paper.MISTAKES:
        assert text.count(f"That {claim.text} ") == len(found)
    assert (home / "reports/mistakes/index.html").read_text(encoding="utf-8").count("<h3>") == len(
        found
    ) * 4 * 4


def test_the_same_inputs_give_the_same_bytes(home: Path) -> None:
    files = [file for file in (home / "reports").rglob("*") if file.is_file()]
    before = {file: file.read_bytes() for file in files}
    for stage in ARITHMETIC:
        run(home, f"deepfake_ensemble.studies.residual.stages.{stage}")
    assert {file: file.read_bytes() for file in files} == before


@pytest.fixture
def local(home: Path) -> Iterator[None]:
    """The same study, as if its archive had been somebody's own."""
    file = home / "params.yaml"
    before = file.read_text(encoding="utf-8")
    changed = before.replace("source: sample", "source: local", 1)
    assert changed != before
    file.write_text(changed, encoding="utf-8")
    yield
    file.write_text(before, encoding="utf-8")


@pytest.mark.usefixtures("local")
def test_results_json_is_written_from_the_runs_own_files(home: Path) -> None:
    measured = {"minutes": 12.5, "training_images": 120}
    write_json(home / "measured/fast_15.json", {"digest": "of fast_15", **measured})
    write_json(home / "measured/bird_lotfi_random.json", {"digest": "of another training", **measured})
    scored = [("sample", "fast_15", "a"), ("sample", "fast_15", "b"), ("sample", "fast_15", "b")]
    for line in (*scored, ("cpu", "fast_15", "c"), ("sample", "fast_60", "d")):
        with (home / "measured/scored.tsv").open("a", encoding="utf-8") as log:
            log.write("\t".join(line) + "\n")
    old = {"f1_official": {"value": 0.5}}
    before = [
        {"profile": "cpu", "run": "fast_15", **old},
        {"profile": "sample", "run": "fast_15", "scored": ["e", "b"], **old},
    ]
    write_json(home / "results.json", {"runs": before})
    said = run(home, "deepfake_ensemble.workflow.residual_results", blocked=False)
    assert "bird_lotfi_random: left out: measured/bird_lotfi_random.json is of another training" in said
    written = json.loads((home / "results.json").read_text(encoding="utf-8"))
    entries = written["runs"]
    assert [entry["profile"] for entry in entries] == ["cpu", "sample"]
    assert written["superseded"] == before[1:]
    entry = entries[1]
    compared = read(home, "evaluation/official/comparison.json")
    assert entry["f1_official"] == compared["intervals"]["fast_15"]["f1"]
    assert (entry["model"], entry["weights"], entry["recipe"]) == ("compact", "random", "fast_15")
    assert entry["settings"]["optimizer"] == "muon"
    assert entry["validation"]["f1"] == compared["validation"]["fast_15"]["f1"]
    # Whoever saw the scores of a model before saw them.
    assert (entry["minutes"], entry["cores"]) == (12.5, os.cpu_count())
    assert (entry["scored"], entry["times_scored"]) == (["a", "b", "e"], 3)
    # Written again, nothing took the place of anything.
    run(home, "deepfake_ensemble.workflow.residual_results", blocked=False)
    assert json.loads((home / "results.json").read_text(encoding="utf-8")) == written
    (average,) = written["averages"]
    assert average["weights"] == compared["ensemble_weights"]
    assert average["f1_official"] == compared["intervals"]["ensemble"]["f1"]
    kept = home.parent / "docs/measurements/residual/sample"
    assert (kept / "report.html").read_bytes() == (home / "reports/report.html").read_bytes()
    assert (kept / "evaluation/leak_free/comparison.json").exists() and (kept / "mistakes.json").exists()
    # Of the images nothing is kept for git.
    assert (home / "reports/mistakes/index.html").exists() and not (kept / "mistakes").exists()


ENTRY = {"profile": "cpu", "run": "fast_15", "minutes": 3.5, "commit": "a", "scored": ["x"]} | dict.fromkeys(
    residual_results.SCORES, 0.7
)


def test_an_entry_keeps_its_commit_until_the_run_is_trained_anew() -> None:
    old = ENTRY | {"commit": "a"}
    (same,) = residual_results.merged([old], [ENTRY | {"commit": "b"}])
    assert same["commit"] == "a"
    (again,) = residual_results.merged([old], [ENTRY | {"commit": "b", "minutes": 3.6}])
    assert again["commit"] == "b"


def test_a_model_that_is_made_again_with_the_same_scores_is_no_other_look_at_the_test_images() -> None:
    old = ENTRY | {"scored": ["x"]}
    (same,) = residual_results.merged([old], [ENTRY | {"minutes": 3.6, "scored": ["y"]}])
    assert (same["scored"], same["times_scored"]) == (["x"], 1)
    (other,) = residual_results.merged([old], [ENTRY | {"auc_official": 0.8, "scored": ["y"]}])
    assert (other["scored"], other["times_scored"]) == (["x", "y"], 2)


@pytest.mark.usefixtures("local")
def test_a_report_is_kept_beside_the_profile_s_own_where_that_is_asked_for(home: Path) -> None:
    kept = home.parent / "docs/measurements/residual"
    (kept / "sample").mkdir(parents=True, exist_ok=True)
    (kept / "sample/report.html").write_text("of all runs", encoding="utf-8")
    run(home, "deepfake_ensemble.workflow.residual_results --keep-as one_run", blocked=False)
    assert (kept / "sample/report.html").read_text(encoding="utf-8") == "of all runs"
    assert (kept / "one_run/report.html").read_bytes() == (home / "reports/report.html").read_bytes()
    for name in (".", "..", "../elsewhere"):
        said = run(home, f"deepfake_ensemble.workflow.residual_results --keep-as {name}", False, True)
        assert f"--keep-as {name}: not the name of a folder" in said and "Traceback" not in said


def test_the_sample_s_scores_are_no_results(home: Path) -> None:
    write_json(home / "results.json", {"runs": []})
    said = run(home, "deepfake_ensemble.workflow.residual_results", blocked=False)
    assert "results.json: as it was: the images of profiles.sample are synthesised" in said
    assert json.loads((home / "results.json").read_text(encoding="utf-8")) == {"runs": []}


def test_a_missing_folder_of_predictions_is_named(home: Path) -> None:
    away = home / "predictions/fast_15"
    away.rename(home / "away")
    try:
        said = run(home, "deepfake_ensemble.studies.residual.stages.evaluate official test", fails=True)
        assert "predictions/fast_15: missing; `dvc repro` makes it" in said
        assert "Traceback" not in said
    finally:
        (home / "away").rename(away)


def test_the_contradictions_in_numbers_follow_from_the_paper_s_own() -> None:
    for place, (_, _, printed) in paper.RESNET152.items():
        false_positives = printed.recall * (1 - printed.precision) / printed.precision
        accuracy = (printed.recall + 1 - false_positives) / 2
        f1 = 2 * printed.precision * printed.recall / (printed.precision + printed.recall)
        of_f1, of_accuracy = paper.CONTRADICTIONS[:2]
        assert f"{accuracy:.4f}" in of_accuracy.text and f"{printed.accuracy}" in of_accuracy.text
        assert (f"{f1:.3f}" in of_f1.text) == (f"{place}: f1" in of_f1.at)
