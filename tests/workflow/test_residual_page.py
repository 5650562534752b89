"""docs/residual.md shows what was measured of the second study."""

from typing import Any
from xml.etree import ElementTree

import pytest

from clones import ROOT
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.scoring.scores import Confusion
from deepfake_ensemble.workflow import frontier
from deepfake_ensemble.workflow import residual_page as document
from deepfake_ensemble.workflow.generated import filled

MACHINE = {"cpu": "A processor", "cores": 2, "gpu": None}
F1 = {"value": 0.98765, "ci_low": 0.98, "ci_high": 0.99}
RUN = {
    "run": "resnet18_random_plain",
    "model": "resnet18",
    "profile": "cpu",
    "weights": "random",
    "training_images": 95_000,
    "image_size": 32,
    "epochs": 3,
    "stem": "small",
    "f1_official": F1,
    "f1_leak_free": F1,
    "minutes": 110.24,
    "times_scored": 3,
    "machine": MACHINE,
    "commit": "0123456789" * 4 + ", with changes",
}
AVERAGE = {
    "run": "ensemble",
    "profile": "cpu",
    "weights": {"resnet18_random": 0.75, "bird_lotfi_random": 0.25},
    "f1_official": F1,
    "f1_leak_free": F1,
    "accuracy_official": 0.5,
    "auc_official": 0.625,
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
        "n": 5_000,
        "f1": {"value": 0.91234, "ci_low": 0.9, "ci_high": 0.925},
        "points": [{"minutes": 2.5, **scores}],
    }
    found = document.parts({"runs": [RUN], "averages": [AVERAGE]}, [trial], [costs], {})
    assert "ResNet18, random weights, without residual connections" in found["results"]
    assert found["results"].startswith("1 run, and 1 average of such, on A processor, 2 cores.")
    assert "0.9877 (0.9800–0.9900)" in found["results"] and "110.2" in found["results"]
    run, average = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in found["results"].splitlines()[4:6]
    )
    # The F1 that the paper prints for it, as far as the run was trained, and on which commit.
    assert run[1:6] == ["0.479", "cpu", "32×32", "3", "small"]
    assert run[-3:] == ["110.2", "`0123456`, with changes", "3"]
    assert average[1:6] == ["–", "cpu", "–", "–", "–"] and average[-5:] == ["0.5000", "0.6250", "–", "–", "–"]
    assert (
        "has as its members ResNet18, random weights (0.750), CNN of Bird & Lotfi, random weights (0.250)"
        in found["results"]
    )
    # What is published of the paper's GPU is of 224 pixels.
    row = next(line for line in found["cost"].splitlines() if line.startswith("| ResNet18"))
    assert [cell.strip() for cell in row.strip("|").split("|")][3:6] == ["100.0", "–", "900"]
    at_224 = document.parts(None, [], [costs | {"image_size": 224, "networks": {"resnet152": cost}}], {})[
        "cost"
    ]
    assert " 82.4 |" in at_224 and "take 1.7 hours" in at_224
    assert "11.18" in found["cost"] and "A processor, 2 cores" in found["cost"]
    assert "`recipes.fast_15.epochs=1`" in found["trials"]
    assert "5,000" in found["trials"] and "0.9123 (0.9000–0.9250)" in found["trials"]
    assert set(document.parts(None, [], [], {}).values()) == {document.NOTHING}


def kept(tp: int, fp: int) -> document.Kept:
    of = Confusion(tp=tp, fp=fp, tn=10_000 - fp, fn=10_000 - tp)
    return document.Kept({"official": of, "leak_free": of}, val_f1=0.91, best=RUN["run"])


def cells(text: str, number: int) -> list[str]:
    return [cell.strip() for cell in text.splitlines()[number].strip("|").split("|")]


def test_f1_on_validation_is_the_finished_model_s_or_the_kept_checkpoint_s_and_marked() -> None:
    place = (RUN["profile"], RUN["run"])
    shown = document.parts({"runs": [RUN]}, [], [], {place: kept(9800, 200)})["results"]
    assert cells(shown, 4)[6] == "0.9100\\*" and document.SINGLE_VIEW in shown
    assert (
        "By finished models, whose own F1 there was not kept, the best is ResNet18, random weights, without"
        in shown
    )
    finished = RUN | {"validation": {"f1": 0.92, "log_loss": 0.1}}
    shown = document.parts({"runs": [finished]}, [], [], {place: kept(9800, 200)})["results"]
    assert cells(shown, 4)[6] == "0.9200" and document.SINGLE_VIEW not in shown
    assert cells(document.parts({"runs": [RUN]}, [], [], {})["results"], 4)[6] == "–"


@pytest.mark.parametrize(
    ("fn", "fp", "looks", "bar", "verdict"),
    [
        (200, 200, 1, 0.963, "passed"),
        (200, 200, 1, 0.98, None),  # its F1 is 0.980: no bar below it but the paper's
        (166, 203, 1, 0.98, "not shown to be passed"),
        (150, 190, 1, 0.98, "passed"),
        (150, 190, 60, 0.98, "not shown to be passed"),  # the same F1 at the sixtieth look
    ],
)
def test_a_bar_is_passed_by_a_test_that_counts_the_looks(
    fn: int, fp: int, looks: int, bar: float, verdict: str | None
) -> None:
    of = kept(10_000 - fn, fp)
    f1 = F1 | {"value": of.confusion["official"].f1}
    results = {"runs": [RUN | {"f1_official": f1, "times_scored": looks}]}
    rows = document.parts(results, [], [], {(RUN["profile"], RUN["run"]): of})["bars"].splitlines()[5:]
    found = {row.split("|")[2].strip(): row.split("|")[6].strip() for row in rows}
    assert found.get(f"{bar:.3f}") == verdict


def test_bars_are_listed_with_which_they_are_and_of_what_their_p_values_are() -> None:
    of = kept(9800, 150)
    results = {"runs": [RUN | {"f1_official": F1 | {"value": of.confusion["official"].f1}}]}
    shown = document.parts(results, [], [], {(RUN["profile"], RUN["run"]): of})["bars"]
    assert shown.startswith(document.LISTED)
    assert "p, as published, before × times scored" in cells(shown, 3)


@pytest.mark.parametrize(("fn", "said"), [(300, ", above 0.963"), (365, ", not shown to be above 0.963")])
def test_the_best_run_of_each_report_is_told_beside_the_paper_s_best(fn: int, said: str) -> None:
    of = kept(10_000 - fn, 350)
    best, other = RUN | {"f1_official": F1 | {"value": of.confusion["official"].f1}}, RUN | {"run": "fast_15"}
    place = {(run["profile"], run["run"]): of for run in (best, other)}
    (told,) = document.best_of_each([best, other], place)
    assert told.count(" pixels, ") == 1 and f"110 minutes on A processor, 2 cores{said}" in told
    assert told.endswith("is of another network, ResNet152 from ImageNet weights, at 224 pixels.")
    assert document.best_of_each([best], {}) == []


def test_every_look_at_the_test_images_is_listed_in_its_order() -> None:
    first = RUN | {"f1_official": F1 | {"value": 0.9}, "commit": "fedcba98-dirty"}
    looks = document.parts({"runs": [RUN], "superseded": [first]}, [], [], {})["looks"]
    assert cells(looks, 2)[2:] == ["`fedcba9`, with changes", "3", "110.2", "0.9000 (0.9800–0.9900)"]
    assert cells(looks, 3)[5] == "0.9877 (0.9800–0.9900)"
    assert document.parts({"runs": [RUN]}, [], [], {})["looks"] == document.NOTHING


def test_what_was_kept_belongs_to_a_run_of_the_same_training_only() -> None:
    results = read_json(ROOT / document.RESULTS)
    found = document._kept(ROOT, results)
    assert ("cpu", "fast_60") in found and found["cpu", "fast_60"].best == "fast_60"
    for run in results["runs"]:
        run["f1_leak_free"]["value"] += 1e-6
    assert document._kept(ROOT, results) == {}
    assert document.in_short(ROOT / "nowhere") == []


def test_the_committed_document_is_what_the_measurements_give() -> None:
    text = (ROOT / document.DOCUMENT).read_text(encoding="utf-8")
    parts = document.measured_parts(ROOT)
    assert filled(text, parts, document.DOCUMENT) == text, "run `make residual-results`"
    assert (ROOT / document.FRONTIER).read_text(encoding="utf-8") == document.measured_frontier(ROOT)
    with pytest.raises(UserError):
        filled(text.replace("<!-- cost: ", "<!-- "), parts, document.DOCUMENT)


def test_the_frontier_joins_the_runs_that_nothing_beats_in_less_time() -> None:
    def run(name: str, minutes: float, f1: float) -> dict[str, Any]:
        return RUN | {"run": name, "minutes": minutes, "f1_official": dict.fromkeys(F1, f1)}

    on_gpu = run("vgg16_random", 5, 0.9) | {"machine": MACHINE | {"gpu": "A GPU"}}
    runs = [run("fast_60", 60, 0.98), run("fast_15", 15, 0.96), run("resnet18_random", 50, 0.9), on_gpu]
    assert frontier.on_two_cores(runs) == runs[:3]
    fastest_first = sorted(runs[:3], key=lambda run: run["minutes"])
    assert [run["run"] for run in frontier.pareto_front(fastest_first)] == ["fast_15", "fast_60"]
    from_imagenet = [run("efficientnet_lite0_imagenet", 1, 0.99) | {"weights": "imagenet"}, *fastest_first]
    assert frontier.pareto_front(from_imagenet) == frontier.pareto_front(fastest_first)
    drawn = ElementTree.fromstring(frontier.draw({"runs": runs, "superseded": runs}, []))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
