"""docs/results.md is written from what measured runs left, and `measured_run.py` leaves it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import markdown
from deepfake_ensemble.archives.audit_report import LogisticBaseline
from deepfake_ensemble.comparison.guessing import ConstantAnswer
from deepfake_ensemble.comparison.intervals import METRICS, Figures, Interval
from deepfake_ensemble.comparison.robustness import Applied, Losses, RobustnessFigures
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.pages.numbers import points
from deepfake_ensemble.studies.ensemble.report.study import read_compared
from deepfake_ensemble.workflow import generated, results
from deepfake_ensemble.workflow.measured import VERDICTS, Run
from kept_reports import keep, metrics

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/results.md"


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is written in the root, whose params.yaml says what has changed since a run."""
    monkeypatch.chdir(ROOT)


def test_the_page_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    parts = results.parts(ROOT / "docs/measurements", ROOT)
    assert generated.filled(text, parts, PAGE) == text, "run `make results`"


# A run's reports, with figures that are easy to tell apart


TRAINING = {"epochs": 9, "best_epoch": 6, "loss": 0.5, "accuracy": 0.7, "val_loss": 0.6, "val_accuracy": 0.65}
SETTINGS = {"source": "local", "image_size": 96, "counts": {"train": 1260}, "initial_weights": "random"}
RUN: dict[str, Any] = {
    "profile": "small",
    "commit": "0123456789ab, with changes",
    "machine": {"cpu": "A processor", "cores": 2, "memory_gib": 7.8, "gpu": None, "system": "Linux x86_64"},
    "versions": {"python": "3.11.7", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"},
    "params": {
        "seed": 42,
        "ensemble": {"weighting": "accuracy"},
        "data_sets": {"internal": {"archive": "faces"}, "cifake": {"archive": "cifake"}},
        "profiles": {"small": SETTINGS},
    },
    "stages": {
        "download@faces": {"seconds": 1.25, "peak_mib": 50, "run": "a"},
        "download@cifake": {"seconds": 2.5, "peak_mib": 60, "run": "b"},
        "train@cnn": {"seconds": 1000.0, "peak_mib": 2000, "run": "c"},
        "train@xception": {"seconds": 10.0, "peak_mib": 1500, "run": "d"},
    },
}


@pytest.fixture
def measurements(tmp_path: Path) -> Path:
    folder = tmp_path / "docs/measurements"
    keep(
        folder / "small",
        {
            "internal": {
                "cnn": metrics(0.8, 0.8, 0.88, n=270),
                "xception": metrics(0.9, 0.9, 0.97, n=270),
                "ensemble": metrics(0.9 + 5 / 270, 0.9, 0.98, n=270),
            },
            "cifake": {
                "cnn": metrics(0.55, 0.55, 0.6, n=20_000),
                "xception": metrics(0.5, 0.5, 0.87, n=20_000),
                "ensemble": metrics(0.55, 0.55, 0.61, n=20_000),
            },
        },
        weights={"cnn": 0.4, "xception": 0.6},
        audits={
            "internal": (1800, LogisticBaseline(0.61, 0.58, folds=5, n=1800)),
            "cifake": (120_000, LogisticBaseline(0.867, 0.79, folds=5, n=120_000)),
        },
    )
    write_json(folder / "small/training/metrics.json", {"cnn": TRAINING})
    write_json(folder / "small.json", RUN)
    return folder


@pytest.fixture
def section(measurements: Path) -> list[str]:
    return markdown.lines(results.parts(measurements, measurements)["runs"])


def test_a_section_opens_with_what_the_run_was_and_where_it_was_made(section: list[str]) -> None:
    assert section[0] == "## Run `small`"
    assert section[2] == (
        "Profile `small`, not the study: 1,260 training images (faces) of 96×96 pixels, random initial"
        " weights."
    )
    assert section[4] == (
        "Made at commit `0123456789ab`, with changes; what is said here is of that run. On A processor, 2"
        " cores, 7.8 GiB (Linux x86_64); Python 3.11.7, TensorFlow 2.21.0, Keras 3.15.1, NumPy 2.4.6; seed"
        " 42, the ensemble's members weighted by their shares of validation accuracy. Its params are in"
        " [small.json](measurements/small.json). How often its test images were scored was not counted then."
    )


@pytest.mark.parametrize(
    ("scored", "told"),
    [
        (["a"], " Its test images were scored once."),
        (["a", "b"], " Its test images were scored 2 times, to as many trainings of this run's name."),
        ([], "small.json). How often its test images were scored was not counted then."),
    ],
)
def test_how_often_test_images_were_looked_at_is_told(
    scored: list[str], told: str, measurements: Path
) -> None:
    run = Run("small", RUN | {"scored": scored}, measurements / "small")
    assert results._made_with(run).endswith(told)


def test_params_of_its_trainings_that_are_others_now_are_told(measurements: Path) -> None:
    now = params.load()
    scaling = now["models"]["cnn"]["input_scaling"]
    models = {"cnn": {"input_scaling": "another"}, "vgg16": {"input_scaling": "of no member"}}
    run = Run("small", RUN | {"params": RUN["params"] | {"models": models}}, measurements / "small")
    (told,) = results._since(run)
    assert f"`models.cnn.input_scaling` was `another` and is `{scaling}`" in told and "vgg16" not in told
    size = now["profiles"]["small"]["image_size"]
    assert f"`profiles.small.image_size` was `96` and is `{size}`" in told
    chosen = Run(run.name, run.about | {"changes": ["models.cnn.input_scaling=another"]}, run.folder)
    assert "models.cnn" not in next(iter(results._since(chosen)))


def test_what_trivial_features_reach_is_told_of_the_images_that_it_is_of(section: list[str]) -> None:
    assert "| *logistic regression on trivial features, n = 1,800* | | *0.580* | – | *0.610* |" in section
    assert "| *logistic regression on trivial features, n = 120,000* | | *0.790* | – | *0.867* |" in section
    assert "| archive of CIFAKE | 120,000 | 0.600 | – | – | 0.867 |" in section
    assert "| archive of the internal test | 1,800 | 0.600 | – | – | 0.610 |" in section
    assert any("those for training, validation and" in line for line in section)
    (at_home,) = [line for line in section if line.startswith("The internal test, 270 images.")]
    (abroad,) = [line for line in section if line.startswith("CIFAKE, 20,000 images.")]
    assert "of all 1,800 images of the archive, by 5-fold cross-validation." in at_home
    assert "of all 120,000 images of the archive, by 5-fold cross-validation." in abroad


def test_intervals_are_shown_where_the_run_was_compared(section: list[str], study: Path) -> None:
    assert "| Custom CNN | 0.400 | 0.800 | 0.800 | 0.880 |" in section
    compared = read_compared(study / "reports/comparison/internal.json").detectors["cnn"]
    said = markdown.lines(results.section(Run("small", RUN, study / "reports")))
    row, _ = [line for line in said if re.match(r"\| Custom CNN \| 0\.\d+ \| 0\.\d+ \(", line)]
    assert f"| {compared.f1.value:.3f} ({compared.f1.ci_low:.3f}–{compared.f1.ci_high:.3f}) |" in row


def test_training_and_costs_are_told_by_model_and_stage(section: list[str]) -> None:
    assert "| Custom CNN | 9 | 6 | 0.500 | 0.700 | 0.600 | 0.650 |" in section
    assert section[-5:] == [
        "| stage | items | wall time, s | peak memory, MiB |",
        "| download | 2 | 3.8 | 60 |",
        "| train cnn | 1 | 1,000.0 | 2,000 |",
        "| train xception | 1 | 10.0 | 1,500 |",
        "| **all** | 4 | **1,013.8** | 2,000 |",
    ]


def test_a_measurement_without_its_reports_is_named(measurements: Path) -> None:
    (measurements / "small/evaluation/internal/metrics.json").unlink()
    (measurements / "small/evaluation/cifake/metrics.json").unlink()
    with pytest.raises(
        UserError, match=r"small: holds no evaluation; run `python benchmarks/measured_run\.py`"
    ):
        results.parts(measurements, measurements)


def test_a_further_run_has_a_line_and_a_section_as_soon_as_its_files_are_there(measurements: Path) -> None:
    (measurements / "another-43.json").write_text(json.dumps(RUN | {"commit": "ba9876543210"}))
    shutil.copytree(measurements / "small", measurements / "another-43")
    (measurements / "reading.json").write_text("{}")  # a benchmark of speed
    found = results.parts(measurements, measurements)
    assert [line for line in found["runs"].splitlines() if line.startswith("## ")] == [
        "## Run `another-43`",
        "## Run `small`",
    ]
    first, second, *_, last = found["known"].splitlines()
    assert first.startswith(
        "- [`another-43`](#run-another-43): 2 detectors, 1,260 training images (faces) of 96×96"
    )
    assert (
        second.startswith("- [`small`](#run-small): ") and "; 17 minutes on A processor, 2 cores; " in second
    )
    assert "profile `paper`, was not run" in last
    anchors = markdown.anchors(found["runs"])
    assert {"run-small", "run-another-43"} <= anchors


def test_where_the_study_itself_was_run_nothing_says_that_it_was_not(measurements: Path) -> None:
    settings = {"source": "kaggle", "image_size": 256, "counts": {"train": 100_000}}
    full = settings | {"initial_weights": "imagenet"}
    run = RUN | {"profile": "paper", "params": RUN["params"] | {"profiles": {"paper": full}}}
    (measurements / "small.json").write_text(json.dumps(run))
    found = results.parts(measurements, measurements)
    assert "was not run" not in found["known"]
    assert "Profile `paper`: 100,000 training images (faces) of 256×256 pixels, ImageNet" in found["runs"]


def test_the_page_opens_with_what_each_run_says_and_what_the_question_s_answers_are(study: Path) -> None:
    nowhere = study / "nowhere"
    said, averaging, weighting, by_log_loss, _ = results.known(
        [Run("small", RUN, study / "reports")], nowhere, nowhere
    )
    assert averaging.startswith("**Averaging by") and weighting.startswith("**Weights by")
    assert by_log_loss.startswith("**Weights fitted by log loss**")
    assert all("in 2 evaluations: accuracy: " in told for told in (averaging, weighting, by_log_loss))
    _, *rows = markdown.lines(results.questions([Run("small", RUN, study / "reports")]))
    for name, where in (("internal", "the internal test"), ("cifake", "CIFAKE")):
        evaluation = read_compared(study / f"reports/comparison/{name}.json")
        accuracy = evaluation.detectors["ensemble"].accuracy.value
        assert re.search(rf"n {where} \(\d+ images\).* {100 * accuracy:.1f}\xa0% correctly", said)
        (row,) = [row for row in rows if row.startswith(f"| `small` | {where}, ")]
        averaged, by_accuracy, _ = row.split(" | ")[2:]
        for cell, findings in ((averaged, evaluation.question), (by_accuracy, evaluation.shares)):
            assert findings is not None
            gain = points(findings["accuracy"].contrast.gain.value)
            (verdicts,) = re.findall(rf"{re.escape(str(gain))} \((.*?)\)", cell)
            pairs = zip(verdicts.split(", "), findings.values(), strict=True)
            assert all(verdict in ("of no use", VERDICTS[it.verdict]) for verdict, it in pairs)


def test_of_a_run_that_averages_otherwise_no_accuracy_shares_are_told(study: Path) -> None:
    otherwise = RUN | {"params": RUN["params"] | {"ensemble": {"weighting": "uniform"}}}
    said = list(results.known([Run("small", otherwise, study / "reports")], study, study))
    assert said[0].startswith("[`small`") and not any(" accuracy" in line for line in said[1:])


def test_weights_that_one_member_starts_from_are_told(measurements: Path) -> None:
    of = SETTINGS | {"initial_weights_of": {"xception": "imagenet", "vgg16": "imagenet", "cnn": "random"}}
    run = Run("small", RUN | {"params": RUN["params"] | {"profiles": {"small": of}}}, measurements / "small")
    assert run.described().endswith("96×96 pixels, random initial weights (ImageNet for Xception)")


# Measuring, with DVC itself

STAGES = """\
stages:
  greedy:
    cmd: >-
      python -c "import time; x = bytearray(200 << 20); time.sleep(1.5);
      open('greedy.txt', 'w').write('x')"
    params: [seed]
    outs: [greedy.txt]
  predict:
    foreach: [cnn]
    do:
      cmd: python -c "open('table.csv', 'w').write(open('models/${item}.keras').read())"
      deps: ["models/${item}.keras"]
      outs: [table.csv]
  modest:
    cmd: >-
      python -c "import pathlib; f = pathlib.Path('reports/evaluation/internal/metrics.json');
      f.parent.mkdir(parents=True); f.write_text('{}')"
    deps: [greedy.txt]
    metrics:
      - reports/evaluation/internal/metrics.json:
          cache: false
"""


PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def measure(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/measured_run.py"), *options],
        cwd=folder,
        env={**os.environ, "PATH": PATH, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/cnn.keras").write_text("a network")
    (tmp_path / "params.yaml").write_text(
        json.dumps({"profile": "tiny", "seed": 1, "profiles": {"tiny": SETTINGS, "other": SETTINGS}})
    )
    for command in ("git init -q", "dvc init -q"):
        subprocess.run(command.split(), cwd=tmp_path, check=True, env={**os.environ, "PATH": PATH})
    return tmp_path


def test_each_stage_is_measured_by_itself(project: Path) -> None:
    done = measure(project)
    assert done.returncode == 0, done.stderr
    told = json.loads((project / "docs/measurements/tiny.json").read_text())
    greedy, modest = told["stages"]["greedy"], told["stages"]["modest"]
    assert 1.5 <= greedy["seconds"] < 60
    assert modest["seconds"] < greedy["seconds"] + 60
    assert greedy["peak_mib"] > 200 > modest["peak_mib"]
    assert list(told["params"]["profiles"]) == ["tiny"]
    assert told["machine"]["cores"] == os.cpu_count()
    assert os.uname().nodename not in json.dumps(told["machine"])
    assert (project / "docs/measurements/tiny/evaluation/internal/metrics.json").read_text() == "{}"

    again = measure(project)
    assert "0 stages measured now, 3 before" in again.stdout
    assert json.loads((project / "docs/measurements/tiny.json").read_text()) == told
    assert len(told["scored"]) == 1

    (project / "params.yaml").write_text(
        (project / "params.yaml").read_text().replace('"seed": 1', '"seed": 2')
    )
    assert "1 stages measured now, 2 before" in measure(project).stdout  # greedy; what it makes is the same


def test_every_model_that_test_images_were_shown_to_is_counted(project: Path) -> None:
    for network in ("a network", "another", "another", "a network"):
        (project / "models/cnn.keras").write_text(network)
        assert measure(project).returncode == 0
    assert len(json.loads((project / "docs/measurements/tiny.json").read_text())["scored"]) == 2


def test_a_run_that_fails_leaves_the_measurements_as_they_were(project: Path) -> None:
    (project / "dvc.yaml").write_text(STAGES.replace("time.sleep(1.5)", "1 / 0"))
    done = measure(project)
    assert done.returncode == 1
    assert "dvc repro: it ended with code" in markdown.lines(done.stderr)[-1]
    assert not (project / "docs").exists()


def test_a_run_that_kept_its_comparison_opens_with_the_answer_of_its_own_report(study: Path) -> None:
    """Its model card says the same sentences."""
    card = (study / "reports/model_card.md").read_text(encoding="utf-8")
    said = results.section(Run("small", RUN, study / "reports")).split("\n\n")
    answers = [paragraph for paragraph in said if "weighted averaging" in paragraph]
    assert len(answers) == 2 and all(each in card for each in answers)  # on the internal test and on CIFAKE
    assert "The run's [model card](../reports/model_card.md)." in said


def test_predicting_with_the_ensemble_is_told_beside_its_best_member_alone(study: Path) -> None:
    members = ("cnn", "resnet50", "xception", "efficientnet_b4")
    stages = {f"predict@{name}": {"seconds": 10.0, "peak_mib": 700} for name in members}
    run = Run("small", RUN | {"stages": stages}, study / "reports")
    (said,) = results._predicting(run)
    assert "40.0 s, 4.0 times the 10.0 s of" in said and said.endswith("at most as much memory as that.")
    stages["predict@extra"] = {"seconds": 30.0, "peak_mib": 1800}
    (said,) = results._predicting(run)
    assert "70.0 s, 7.0 times" in said and said.endswith("at most 1,800 MiB where that has 700 MiB.")


def test_of_the_sample_only_its_cost_is_told(measurements: Path) -> None:
    settings = SETTINGS | {"source": "sample"}
    run = RUN | {"profile": "sample", "params": RUN["params"] | {"profiles": {"sample": settings}}}
    (measurements / "sample.json").write_text(json.dumps(run))
    found = results.parts(measurements, measurements)
    assert "sample" not in found["runs"] + found["known"]
    assert "say nothing about real deepfakes" in found["sample"]
    assert found["sample"].endswith(
        "Its 4 stages took 1,014 s, 1,010 s of it to train 2 networks, and at most 2,000 MiB."
    )


def test_runs_that_differ_by_their_seed_share_a_line_that_tells_how_far_apart_they_are(
    study: Path, tmp_path: Path
) -> None:
    def run(name: str, seed: int, reports: Path = study / "reports") -> Run:
        return Run(name, RUN | {"params": RUN["params"] | {"seed": seed}}, reports)

    reports = tmp_path / "small-43"
    shutil.copytree(study / "reports", reports)
    (reports / "comparison/cifake.json").unlink()
    file = reports / "comparison/internal.json"
    compared = json.loads(file.read_text())
    for detector, more in (("ensemble", 0.012), ("cnn", 0.025), ("xception", -0.038)):
        compared["detectors"][detector]["accuracy"]["value"] += more
    compared["question"]["accuracy"]["contrast"]["gain"]["value"] += 0.05
    file.write_text(json.dumps(compared))

    first, again = run("small", 42), run("small-43", 43, reports)
    params = RUN["params"] | {"seed": 44, "training": {}}
    other = Run("longer", RUN | {"params": params}, study / "reports")
    one, another, *_ = results.known([first, again, other], tmp_path, tmp_path)
    assert one.startswith("[`small`") and another.startswith("[`longer`") and "seeds" not in another
    assert one.endswith(
        "Trained with seeds 42 (`small`) and 43 (`small-43`), accuracies lie so many points apart, with the"
        " member that moves most, and what averaging gains, in brackets: 1.2 on the internal test (Xception:"
        " 3.8; gain: 5.0)."
    )
    table = results.questions([first, again, other])
    assert all(f"| `{name}` " in table for name in ("small", "small-43", "longer"))
    one, *_ = results.known([first, again, run("small-44", 44)], tmp_path, tmp_path)
    assert "and 44 (`small-44`), accuracies lie up to so many points apart" in one


def training(**of: Any) -> dict[str, Any]:
    accuracy = {"value": of.pop("accuracy"), "ci_low": 0.5, "ci_high": 0.75}
    made = {"set": "faces", "images": 160, "scaling": "native", "start": "imagenet", "seed": 42}
    kept = {"epochs": 80, "kept_epoch": 3, "val_accuracy": 0.5, "last_val_accuracy": 0.625}
    return made | kept | {"n": 270, "accuracy": accuracy, "auc": 0.875, "log_loss": 0.25, "minutes": 1.5} | of


def test_a_grid_of_trainings_is_told_in_short_and_as_a_table(measurements: Path) -> None:
    assert results.parts(measurements, measurements)["grid"] == results.NOTHING
    unclear = {"value": 0.125, "ci_low": -0.0625, "ci_high": 0.3125}
    clear = unclear | {"ci_low": 0.0625}
    gains = {
        m: {"crossed": {"mean": clear if m == "log_loss" else unclear}} for m in results.scalings.METRICS
    }
    trainings = [
        training(scaling="unit", accuracy=0.6),
        *(training(accuracy=0.7 + seed / 1000, seed=seed, scaling="unit") for seed in (43, 44)),
        training(accuracy=0.625),
        training(accuracy=0.75, images=1260),
        training(accuracy=0.5625, start="random"),
        training(accuracy=0.6875, start="random", images=1260),
    ]
    write_json(
        measurements / "lite0.json",
        {
            "machine": RUN["machine"],
            "commit": "0123456789ab",
            "minutes": 60.0,
            "native_less_unit": {"faces": gains},
            "trainings": trainings,
        },
    )
    found = results.parts(measurements, measurements)
    _, scaling, start, _ = found["known"].splitlines()
    assert "on 270 faces, own less paper's as the mean of 3 seeds: " in scaling
    assert "beyond chance in log loss, uncorrected for 3 metrics" in scaling
    assert "accuracy +0.1250 (−0.0625 to +0.3125), AUC +0.1250" in scaling
    of_both = (
        "0.625 (0.500–0.750), 0.750 (0.500–0.750) from ImageNet, and 0.562 (0.500–0.750), 0.688 (0.500–0.750)"
    )
    assert f"with 160, 1,260 training faces has on 270 others accuracy {of_both} from random weights" in start
    assert "in their last epochs those from random weights have 0.625 to 0.625 on validation" in start
    rows = [line for line in markdown.lines(found["grid"]) if line.startswith("| faces")]
    assert len(rows) == len(trainings)
    assert rows[-1] == (
        "| faces | 1,260 | random | `native` | 42 | 270 | 0.688 (0.500–0.750) | 0.875 | 0.250 |"
        " 3 of 80 | 0.500, 0.625 | 1.5 |"
    )
    assert "weights, at the epoch with the least validation loss, the first in 0 of these 4; " in start
    assert "grid" in markdown.anchors(PAGE.read_text(encoding="utf-8"))


def test_trials_are_a_table_with_a_column_for_each_pass(measurements: Path) -> None:
    assert results.parts(measurements, measurements)["trials"] == results.NOTHING
    one = {"model": "cnn", "learning_rate": 1e-4, "images": 5000, "best_val_accuracy": 0.9375}
    write_json(
        measurements / "quick_trials.json",
        {
            "machine": RUN["machine"],
            "commit": "0123456789ab",
            "val_images": 5000,
            "trials": [one | {"val_loss": [0.5, 0.25]}, one | {"val_loss": [0.5, 0.25, 0.125]}],
        },
    )
    lines = markdown.lines(results.parts(measurements, measurements)["trials"])
    header, short, long = (line.replace(" ", "") for line in lines if line.startswith("|"))
    assert header == "|model|learningrate|images|loss1|loss2|loss3|accuracy|"
    assert short == "|`cnn`|0.0001|5,000|0.500|0.250||0.9375|"
    assert long == "|`cnn`|0.0001|5,000|0.500|0.250|0.125|0.9375|"


def figures(value: float, half: float = 0.05) -> Figures:
    return Figures(**dict.fromkeys(METRICS, Interval(value, value - half, value + half)))


def perturbed(resized: float) -> RobustnessFigures:
    """Return what a detector does on clean images, on compressed ones, and on the way to CIFAKE."""
    conditions = {
        "jpeg_90": ("jpeg", 90.0),
        "jpeg_30": ("jpeg", 30.0),
        "like_cifake_1": ("like_cifake", 1.0),
        "like_cifake_2": ("like_cifake", 2.0),
    }
    accuracies = {
        "clean": 0.9,
        "jpeg_90": 0.8,
        "jpeg_30": 0.7,
        "like_cifake_1": resized,
        "like_cifake_2": resized,
    }
    return RobustnessFigures(
        images=270,
        fake_images=135,
        threshold=0.5,
        confidence=0.95,
        resamples=100,
        constant=ConstantAnswer(0.5, 2 / 3),
        conditions={name: Applied(*of) for name, of in conditions.items()},
        detectors={"cnn": {name: figures(value) for name, value in accuracies.items()}},
        lost={},
        losses={"cifake": {"cnn": Losses(*map(figures, (0.1, 0.02, 0.3, 0.42, 0.48)))}},
    )


def test_what_perturbed_images_cost_is_told_if_it_was_measured(measurements: Path) -> None:
    path = measurements / "small/robustness/figures.json"
    write_json(path, perturbed(resized=0.8))
    lines = markdown.lines(results.parts(measurements, measurements)["runs"])
    assert "| detector | clean | jpeg 30 |" in lines
    assert "| Custom CNN | 0.900 | 0.700 |" in lines
    assert (
        "| Custom CNN | 10.0 (5.0 to 15.0) | 2.0 (-3.0 to 7.0) | 30.0 (25.0 to 35.0) | 42.0 (37.0 to 47.0) |"
        in lines
    )
    assert not any("floor reached" in line for line in lines)
    path.write_text('{"images": 0}')
    assert not any(
        "perturbation" in line for line in results.parts(measurements, measurements)["runs"].splitlines()
    )


def test_what_is_lost_after_a_detector_is_at_the_floor_is_put_down_to_no_step(measurements: Path) -> None:
    write_json(measurements / "small/robustness/figures.json", perturbed(resized=0.52))
    text = results.parts(measurements, measurements)["runs"]
    assert (
        "| Custom CNN | 10.0 (5.0 to 15.0) | floor reached | floor reached | 42.0 (37.0 to 47.0) |"
        in markdown.lines(text)
    )
    assert '"floor reached": before that step already' in text


def test_a_run_with_other_params_than_todays_says_so_in_its_line(study: Path) -> None:
    run = Run("small", RUN, study / "reports")
    assert run.changed_params()  # its images have 96 pixels
    said, *_ = results.known([run], study, study)
    assert "2 cores; with other params than today's. On the internal test (" in said
    as_now = {"small": SETTINGS | {"image_size": params.load()["profiles"]["small"]["image_size"]}}
    same = Run("small", RUN | {"params": RUN["params"] | {"profiles": as_now}}, study / "reports")
    assert not same.changed_params()
    said, *_ = results.known([same], study, study)
    assert "other params" not in said
