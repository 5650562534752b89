"""Where the time of a run goes: every second is given to one share of one stage."""

import pytest

import turning_round
from measured_pages import HERE
from stage_watch import Watched


def process(
    stage: str, start: float, end: float, lines: list[tuple[float, str]] | None = None, **more
) -> Watched:
    name, _, item = stage.partition("@")
    arguments = ["-m", f"deepfake_ensemble.stages.{name}", *([item] if item else [])]
    return Watched(arguments=arguments, start=start, end=end, lines=lines or [], **more)


def test_the_shares_of_all_stages_add_up_to_the_whole():
    found = turning_round.spent(
        [
            process("split", 2, 5, import_seconds=1),
            process("initialise@cnn", 6, 11, import_seconds=3),
            process("report", 12, 20, import_seconds=2),
        ],
        start=0,
        end=21,
    )
    assert sum(of[share] for of in found.values() for share in turning_round.SHARES) == pytest.approx(21)
    assert found["split"] == {"imports": 1, "building": 0, "work": 2, "dvc": 2, "cores": 0}
    assert found["initialise@cnn"]["building"] == 2
    assert found["(end)"]["dvc"] == 1


def test_what_the_first_epoch_takes_longer_is_tracing():
    epochs = [(20.0 + 2 * n, f"epoch {n + 1} of 4: loss 0.1") for n in range(4)]
    found = turning_round.spent([process("train@cnn", 0, 27, epochs, import_seconds=3)], start=0, end=27)
    assert found["train@cnn"]["building"] == 20 - 3 - 2
    assert found["train@cnn"]["work"] == 27 - 3 - 15


def test_what_the_first_split_takes_longer_than_the_others_is_tracing():
    lines = [
        (5.0, "predict val with cnn: 1,000 to do"),
        (9.0, "predict val with cnn: done in 4 s"),
        (9.0, "predict test with cnn: 2,000 to do"),
        (11.0, "predict test with cnn: done in 2 s"),
    ]
    found = turning_round.spent([process("predict@cnn", 0, 12, lines, import_seconds=3)], start=0, end=12)
    assert found["predict@cnn"]["building"] == (5 - 3) + (4 - 1)


def test_the_table_has_a_row_for_each_training_and_one_for_the_items_of_other_stages():
    names = ("pack@train", "pack@val", "train@cnn", "train@resnet50")
    found = turning_round.spent(
        [process(name, n, n + 0.5) for n, name in enumerate(names, start=1)], start=0, end=6
    )
    text = turning_round._spent_table(found)
    assert [line.split("|")[1].strip() for line in text.splitlines()[2:]] == [
        "pack",
        "train cnn",
        "train resnet50",
        "(after the last)",
        "**all**",
    ]


def test_of_several_runs_it_is_told_of_the_one_in_the_middle_where_its_time_went():
    runs = [{"seconds": taken, "stages": {"split": {"work": taken}}} for taken in (9.0, 5.0, 7.0)]
    assert turning_round.middle(runs) == {"seconds": [9.0, 5.0, 7.0], "stages": {"split": {"work": 7.0}}}


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        ([7.0], "fresh clone: 7 s (one run). Where they go"),
        ([9.0, 5.0, 7.0], "fresh clone: 7 (5–9) s (3 runs)."),
    ],
)
def test_the_page_says_of_how_many_runs_its_seconds_are(taken, told):
    stages = turning_round.spent([process("split", 2, 5)], start=0, end=7)
    assert told in turning_round.page(HERE | {"run": {"seconds": taken, "stages": stages}})


def test_the_page_tells_the_stages_own_time_from_dvcs():
    of = {"seconds": [18.0, 20.0, 19.0], "own_seconds": 7.5, "ran": ["weigh", "report"]}
    told = "19.0 (18.0–20.0) s; 7.5 s of it are the stages' own (weigh, report), the rest DVC's."
    assert told in turning_round.page(HERE | {"weighting": of})
