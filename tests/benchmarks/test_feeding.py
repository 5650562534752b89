"""The benchmark of feeding: blocks of either kind take turns, and what was read beforehand does not count."""

import pytest

import feeding
from deepfake_ensemble.reading import batches
from measured_pages import HERE, cells


def test_steps_of_fit_and_bare_steps_take_turns() -> None:
    taken = []

    def step(batch):
        taken.append(batch)
        return {"loss": 1.0}

    turns = feeding.Turns(step, "bare", repeats=3, least=0)
    with pytest.raises(feeding.Enough):
        for _ in range(100):
            turns("fit")
    assert taken == 2 * ["bare"] + 3 * (2 * ["bare"] + (feeding.AHEAD + 2) * ["fit"])
    assert {kind: len(seconds) for kind, seconds in turns.seconds.items()} == {"bare": 3, "fit": 3}


def test_steps_on_what_was_read_meanwhile_do_not_count() -> None:
    assert feeding.AHEAD == batches.PREFETCHED


def test_the_page_of_feeding_shows_the_ratio_of_each_turn() -> None:
    found = {"cnn": {"bare": [0.1, 0.2, 0.1], "fit": [0.1, 0.25, 0.1]}}
    page = feeding.page({**HERE, "repeats": 3, "settings": {"40:decoded": found}})
    assert cells(page, "cnn") == [
        "40×40, `cache: decoded`",
        "100.0 (100.0–200.0)",
        "100.0 (100.0–250.0)",
        "1.000 (0.800–1.000)",
    ]
