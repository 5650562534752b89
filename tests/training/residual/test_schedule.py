"""The learning rate at its corners (table 1, figure 6), and what a training does after which batch."""

import pytest

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.training.residual.schedule import Plan, learning_rate, plan
from deepfake_ensemble.training.residual.settings import Recipe

PEAK = 5e-5


def test_the_paper_s_plan_counts_batches_or_updates() -> None:
    data = params.load(ROOT / "residual/params.yaml")
    its = params.check("recipes.paper", data["recipes"]["paper"], Recipe)
    assert (its.batch_size, its.accumulation) == (32, 4)
    by_batch = plan(100_000, its, epochs=5, evaluate_every=600, checkpoint_every=1200, step="batch")
    by_update = plan(100_000, its, epochs=5, evaluate_every=600, checkpoint_every=1200, step="update")
    assert (by_batch.batches, by_batch.updates) == (by_update.batches, by_update.updates) == (15_625, 3_906)
    assert evaluated(by_batch) == [*range(600, 15_601, 600), 15_625]
    assert [
        by_batch.evaluated_after(i) for i in range(by_batch.evaluations) if by_batch.is_checkpoint(i)
    ] == [*range(1200, 15_601, 1200), 15_625]
    assert evaluated(by_update) == [*range(2400, 14_401, 2400), 15_625]


def evaluated(plan: Plan) -> list[int]:
    return [plan.evaluated_after(evaluation) for evaluation in range(plan.evaluations)]


def test_of_equals_the_first_is_the_best_and_what_is_no_checkpoint_never() -> None:
    its = Plan(batches=10, updates=10, evaluate_every=1, checkpoint_every=4)
    val_f1 = [0.1, 0.2, 0.3, 0.8, 0.99, 0.2, 0.3, 0.9, 0.95, 0.9]
    assert its.best({"val_f1": val_f1}) == 7
    assert its.best({"val_f1": val_f1[:7]}) == 3


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
