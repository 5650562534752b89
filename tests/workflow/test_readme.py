"""The generated parts of README.md and CONTRIBUTING.md: figures, the picture, what an edit reruns."""

import json
from pathlib import Path

import pytest

import markdown
from deepfake_ensemble.archives.audit_report import LogisticBaseline
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json, write_json
from deepfake_ensemble.workflow import generated, measured, pipeline_picture, readme, rooms
from kept_reports import keep, metrics

ROOT = Path(__file__).parents[2]
SETTINGS = {"source": "local", "image_size": 64, "counts": {"train": 640}, "initial_weights": "random"}


def test_the_generated_parts_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for page, made in readme.parts().items():
        text = page.read_text(encoding="utf-8")
        assert generated.filled(text, made, page) == text, "run `make readme`"
    assert readme.PICTURE.read_text(encoding="utf-8") == pipeline_picture.draw(pipeline_picture.graph()), (
        "run `make readme`"
    )


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    keep(
        folder,
        {
            "internal": {
                "cnn": metrics(0.9, 0.91, 0.95, n=240),
                "xception": metrics(0.8, 0.81, 0.85, n=240),
                "ensemble": metrics(0.9, 0.92, 0.95, n=240),
            },
            "cifake": {
                "cnn": metrics(0.9, 0.91, 0.5125, n=240),
                "xception": metrics(0.7, 0.71, 0.75, n=240),
                "ensemble": metrics(0.6, 0.91, 0.95, n=240),
            },
        },
        weights={"cnn": 0.525, "xception": 0.475},
        audits={"internal": (1678, None), "cifake": (504, LogisticBaseline(0.867, 0.789, folds=5, n=504))},
    )
    return folder


def test_the_table_shows_the_detectors_and_beside_them_what_trivial_features_reach(reports: Path) -> None:
    found = measured.read(reports)
    assert found
    header, *rows = markdown.lines(measured.detectors(found))
    assert header == (
        "| detector | weight | internal test (n = 240): accuracy | F1 | AUC"
        " | CIFAKE (n = 240): accuracy | F1 | AUC |"
    )
    assert rows == [
        "| Custom CNN | 0.525 | 0.900 | 0.910 | 0.950 | 0.900 | 0.910 | 0.512 |",
        "| Xception | 0.475 | 0.800 | 0.810 | 0.850 | 0.700 | 0.710 | 0.750 |",
        "| **Ensemble** | | 0.900 | 0.920 | 0.950 | 0.600 | 0.910 | 0.950 |",
        "| *logistic regression on trivial features* | | – | – | – | *0.789* | – | *0.867* |",
    ]


def test_an_ensemble_of_one_member_has_no_row_beside_it(reports: Path) -> None:
    for file in reports.glob("evaluation/*/metrics.json"):
        write_json(file, {name: of for name, of in read_json(file).items() if name != "xception"})
    found = measured.read(reports)
    assert found
    assert [line.split(" | ")[0] for line in markdown.lines(measured.detectors(found))[1:]] == [
        "| Custom CNN",
        "| *logistic regression on trivial features*",
    ]


def test_a_measured_run_is_shown_under_the_name_of_its_profile(reports: Path) -> None:
    run = reports.with_suffix(".json")
    run.write_text(json.dumps({"profile": "small", "params": {"profiles": {"small": SETTINGS}}}))
    told = readme.ensemble(run)
    assert told.startswith(
        "First study. **Profile `small`, not the study**: 640 training images of 64×64 pixels, random initial"
        " weights.\n"
    )
    assert "| *logistic regression" in told


def test_a_measured_run_without_its_reports_is_named(tmp_path: Path) -> None:
    run = tmp_path / "small.json"
    run.write_text("{}")
    with pytest.raises(UserError, match=r"small: holds no evaluation; run `python benchmarks"):
        readme.ensemble(run)


def test_the_second_study_s_runs_stand_beside_the_paper_s_the_best_first() -> None:
    def run(name: str, f1: float) -> dict:
        made_with = {"profile": "cpu", "training_images": 95000, "image_size": 32, "cores": 2}
        interval = {"value": f1, "ci_low": f1 - 0.01, "ci_high": f1 + 0.01}
        return {"run": name, "f1_official": interval, "epochs": 5, "minutes": 3.22, **made_with}

    told = readme.residual({"runs": [run("bird_lotfi_random", 0.85), run("fast_15", 0.97)]})
    first, _, _, *rows = markdown.lines(told)
    assert first == "Second study: profile `cpu`, 95,000 training images of 32×32 pixels, 2 cores."
    assert rows == [
        "| compact network, 15 minutes | – | 0.970 (0.960–0.980) | 5 | 3 |",
        "| CNN of Bird & Lotfi, random weights | 0.936 | 0.850 (0.840–0.860) | 5 | 3 |",
    ]


@pytest.mark.parametrize(
    ("changes", "study"),
    [
        ({"source": "kaggle"}, True),
        ({"source": "local"}, True),
        ({"source": "sample"}, False),
        ({"source": "kaggle", "image_size": 128}, False),
        ({"source": "kaggle", "counts": {"train": 1260}}, False),
        ({"source": "kaggle", "initial_weights": "random"}, False),
    ],
)
def test_only_the_study_s_size_data_and_weights_pass_for_the_study(changes: dict, study: bool) -> None:
    full = {"image_size": 256, "counts": {"train": 100_000}, "initial_weights": "imagenet"}
    assert ("not the study" not in measured.headline("x", full | changes)) is study


def test_the_graph_has_each_stage_once_and_no_arrow_that_follows_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    graph = pipeline_picture.graph()
    stages = params.load(ROOT / "dvc.yaml")["stages"]
    models = params.load(ROOT / "params.yaml")["members"]
    assert set(graph) == set(stages)
    assert graph.nodes["train"] == {"count": len(models), "gpu": True}
    assert graph.has_edge("download", "audit")
    assert not graph.has_edge("download", "pack")


def test_reports_that_someone_broke_are_named(reports: Path) -> None:
    (reports / "ensemble/weights.json").write_text("{")
    with pytest.raises(UserError, match=r"weights\.json: not JSON.*; restore it from git"):
        measured.read(reports)
    (reports / "ensemble/weights.json").unlink()
    with pytest.raises(UserError, match=r"weights\.json: missing; `dvc repro` makes it"):
        measured.read(reports)


def test_what_an_edit_reruns_is_what_names_the_folder_a_folder_above_it_or_a_file_in_it() -> None:
    stages = {
        "pack": {"do": {"deps": ["data/raw", "src/room", "src/other/one.py"]}},
        "train": {"deps": ["src/room/inner", "src/other/${key}.py"]},
        "report": {"cmd": "true"},
    }
    folder = Path("src")
    assert rooms.readers(folder / "room", stages) == "`pack`"
    assert rooms.readers(folder / "room/inner", stages) == "`pack`, `train`"
    assert rooms.readers(folder / "other", stages) == "`pack` (one.py), `train` (its own)"
    assert rooms.readers(folder / "nothing", stages) == "–"
    assert (
        rooms.readers(folder / "room/inner", {name: stages[name] for name in ("pack", "train")})
        == "all stages"
    )
