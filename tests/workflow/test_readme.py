"""The generated parts of README.md and CONTRIBUTING.md: figures, the picture, what an edit reruns."""

import shutil
from pathlib import Path

import pytest

import markdown
import study as made_up
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.numbers import points
from deepfake_ensemble.studies.ensemble.report.answer import of_no_use
from deepfake_ensemble.studies.ensemble.report.study import read_compared
from deepfake_ensemble.workflow import generated, measured, pipeline_picture, readme, rooms
from deepfake_ensemble.workflow.measured import VERDICTS

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


def run(folder: Path, *members: str) -> measured.Run:
    about = {
        "profile": "small",
        "params": {
            "profiles": {"small": SETTINGS},
            "ensemble": {"weighting": "accuracy"},
            "data_sets": {"internal": {"archive": "faces"}},
        },
    }
    return measured.Run("small-2", about | {"stages": {f"train@{model}": {} for model in members}}, folder)


def test_the_table_shows_each_run_on_each_data_set_with_what_guessing_and_trivial_features_reach(
    study: Path,
) -> None:
    header, at_home, abroad = markdown.lines(readme.ensemble([run(study / "reports", "cnn", "xception")]))
    assert header.startswith(
        "| first study | test images | accuracy | AUC | against guessing: calls, order |"
    )
    assert at_home.startswith(
        "| `small-2`: 2 detectors, 640 training images (faces) of 64×64 pixels, random initial weights"
        " | internal test, 60 | "
    )
    assert abroad.startswith("| | CIFAKE, 60 | ")
    for row, name in ((at_home, "internal"), (abroad, "cifake")):
        compared = read_compared(study / f"reports/comparison/{name}.json")
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        accuracy = compared.detectors["ensemble"].accuracy
        assert cells[2] == f"{accuracy.value:.3f} ({accuracy.ci_low:.3f}–{accuracy.ci_high:.3f})"
        guess = compared.guessing["ensemble"]
        assert cells[4] == f"{readme.GUESSES[guess.verdict]}, {readme.GUESSES[guess.ranks]}"
        for cell, findings in ((cells[6], compared.question), (cells[7], compared.shares)):
            gain, _, verdicts = cell.partition(" ")
            assert gain == str(points(findings["accuracy"].contrast.gain.value))
            told = zip(verdicts.strip("()").split(", "), findings.values(), strict=True)
            assert all(verdict in ("of no use", VERDICTS[it.verdict]) for verdict, it in told)
        audit = read_json(study / f"reports/data/{name}.json")["baselines"]["logistic"]
        assert cells[5] == (f"{audit['auc']:.3f} ({audit['n']:,})" if audit else "–")


def test_a_run_with_another_seed_is_told_by_that(study: Path) -> None:
    one = run(study / "reports", "cnn", "xception")
    of_seed = [
        measured.Run(name, one.about | {"params": one.about["params"] | {"seed": seed}}, one.folder)
        for name, seed in (("small", 42), ("small-43", 43))
    ]
    _, *rows = markdown.lines(readme.ensemble(of_seed))
    assert rows[0].startswith("| `small`: 2 detectors, ")
    assert rows[2].startswith(
        "| `small-43`: like `small`, with seed 43 in place of 42 | internal test, 60 | "
    )


def test_one_detector_is_named_and_nothing_is_said_of_averaging(study: Path, tmp_path: Path) -> None:
    made_up.make_alone(tmp_path, study, "xception")
    _, at_home, _ = markdown.lines(readme.ensemble([run(tmp_path / "reports", "xception")]))
    assert at_home.startswith("| `small-2`: Xception, 640 training images") and at_home.endswith(" – | – |")


def test_a_gain_of_no_use_is_marked_in_the_table_too() -> None:
    row = next(
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if "CIFAKE, 20,000" in line
    )
    of = measured.Run("small", {}, ROOT / "docs/measurements/small").reports().evaluations["cifake"]
    useless = [*of_no_use(of.compared.question, of), *of_no_use(of.compared.shares or {}, of)]
    assert useless and row.count("of no use") == len(useless)


def test_runs_with_other_params_than_today_s_are_named_in_a_line(tmp_path: Path) -> None:
    today = params.load(ROOT / "params.yaml")["profiles"]["small"]
    as_today = measured.Run(
        "small", {"profile": "small", "stages": {}, "params": {"profiles": {"small": today}}}, tmp_path
    )
    assert readme.since([as_today]) == []
    changed = {"params": {"profiles": {"small": today | {"image_size": 63}}}}
    others = [
        measured.Run(name, {"profile": "small", "stages": {}} | changed, tmp_path) for name in ("a", "b", "c")
    ]
    assert readme.since([as_today, *others]) == [
        "Made with other params than today's: `a`, `b` and `c` ([which](docs/results.md))."
    ]


def test_a_measured_run_without_its_reports_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"small: holds no evaluation; run `python benchmarks"):
        readme.ensemble([run(tmp_path / "small")])


def test_the_second_study_s_runs_stand_beside_the_paper_s_the_best_first() -> None:
    def run(name: str, f1: float) -> dict:
        made_with = {"profile": "cpu", "training_images": 95000, "image_size": 32, "cores": 2}
        interval = {"value": f1, "ci_low": f1 - 0.01, "ci_high": f1 + 0.01}
        return {"run": name, "f1_official": interval, "epochs": 5, "minutes": 3.22, **made_with}

    told = readme.residual({"runs": [run("bird_lotfi_random", 0.85), run("fast_15", 0.97)]})
    first, _, _, *rows = markdown.lines(told)
    assert first == "Second study: 95,000 training images, 2 cores."
    assert rows == [
        "| compact network, 15 minutes | cpu | – | 0.970 (0.960–0.980) | 32×32 | 5 | 3 |",
        "| CNN of Bird & Lotfi, random weights | cpu | 0.936 | 0.850 (0.840–0.860) | 32×32 | 5 | 3 |",
    ]


@pytest.mark.parametrize(
    ("changes", "is_study"),
    [
        ({"source": "kaggle"}, True),
        ({"source": "local"}, True),
        ({"source": "sample"}, False),
        ({"source": "kaggle", "image_size": 128}, False),
        ({"source": "kaggle", "counts": {"train": 1260}}, False),
        ({"source": "kaggle", "initial_weights": "random"}, False),
    ],
)
def test_only_the_study_s_size_data_and_weights_pass_for_the_study(changes: dict, is_study: bool) -> None:
    full = {"image_size": 256, "counts": {"train": 100_000}, "initial_weights": "imagenet"}
    about = {"profile": "x", "params": {"profiles": {"x": full | changes}}}
    assert measured.Run("x", about, Path()).is_study is is_study


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


def test_reports_that_someone_broke_are_named(study: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    shutil.copytree(study / "reports", reports)
    (reports / "ensemble/weights.json").write_text("{")
    with pytest.raises(UserError, match=r"weights\.json: not JSON.*; restore it from git"):
        run(reports).reports()
    (reports / "ensemble/weights.json").unlink()
    with pytest.raises(UserError, match=r"weights\.json: missing; `dvc repro` makes it"):
        run(reports).reports()


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
