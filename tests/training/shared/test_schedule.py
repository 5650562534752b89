"""The learning rate at its corners (table 1 and figure 6 of the second study)."""

import pytest

from deepfake_ensemble.training.shared.schedule import learning_rate

PEAK = 5e-5


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (0, 0.0),
        (1, PEAK / 391),  # a tenth of 3,906 updates, rounded up
        (390, PEAK * 390 / 391),
        (391, PEAK),
        (392, PEAK * 3514 / 3515),
        (3905, PEAK / 3515),
        (3906, 0.0),
    ],
)
def test_it_rises_over_a_tenth_of_the_updates_and_falls_to_nothing(update: int, expected: float) -> None:
    assert learning_rate(update, 3_906, PEAK, 0.1, "linear") == pytest.approx(expected, rel=1e-12)


def test_the_constant_one_is_the_peak_from_the_first_update_to_the_last() -> None:
    assert {learning_rate(update, 30, PEAK, 0.1, "constant") for update in range(30)} == {PEAK}


def test_the_cosine_falls_through_half_of_the_peak_in_the_middle() -> None:
    assert learning_rate(3, 30, PEAK, 0.1, "cosine") == pytest.approx(PEAK)
    assert learning_rate(15, 27, 1.0, 0.1, "cosine") == pytest.approx(0.5)
    assert learning_rate(30, 30, PEAK, 0.1, "cosine") == pytest.approx(0, abs=1e-12)


def test_a_tenth_of_thirty_updates_is_three() -> None:
    # In binary fractions it is a little more.
    assert learning_rate(3, 30, PEAK, 0.1, "linear") == PEAK


def test_without_a_warm_up_it_begins_at_the_peak() -> None:
    assert learning_rate(0, 10, PEAK, 0.0, "linear") == PEAK


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_a_single_update_is_possible(shape) -> None:
    assert learning_rate(0, 1, PEAK, 0.1, shape) == 0.0
    assert learning_rate(0, 1, PEAK, 0.0, shape) == pytest.approx(PEAK)
