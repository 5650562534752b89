"""What a training does after which batch."""

from clones import ROOT
from deepfake_ensemble.foundation import params
from deepfake_ensemble.training.residual.schedule import Plan, plan
from deepfake_ensemble.training.residual.settings import Recipe


def test_the_paper_s_plan_counts_batches_or_updates() -> None:
    data = params.load(ROOT / "residual/params.yaml")
    its = params.check("recipes.paper", data["recipes"]["paper"], Recipe)
    assert (its.batch_size, its.accumulation) == (32, 4)
    every = {"record_every": 20, "evaluate_every": 600, "checkpoint_every": 1200}
    by_batch = plan(100_000, its, epochs=5, step="batch", **every)
    by_update = plan(100_000, its, epochs=5, step="update", **every)
    assert (by_batch.batches, by_batch.updates) == (by_update.batches, by_update.updates) == (15_625, 3_906)
    assert by_batch.evaluated == [*range(600, 15_601, 600), 15_625]
    assert [
        by_batch.evaluated_after(i) for i in range(by_batch.evaluations) if by_batch.is_checkpoint(i)
    ] == [*range(1200, 15_601, 1200), 15_625]
    assert by_update.evaluated == [*range(2400, 14_401, 2400), 15_625]
    # From a rate of 0 over the highest one, which the first of update 391's four batches gets.
    assert by_batch.recorded == sorted([1, *range(20, 15_621, 20), 391 * 4 + 1, 15_625])


def test_what_is_evaluated_is_recorded_whatever_the_intervals() -> None:
    its = Plan(batches=17, updates=8, peak=3, record_every=4, evaluate_every=5, checkpoint_every=5)
    assert its.recorded == [1, 3, 4, 5, 8, 10, 12, 15, 16, 17]
    assert its.evaluated == [5, 10, 15, 17]


def test_of_equals_the_first_is_the_best_and_what_is_no_checkpoint_never() -> None:
    its = Plan(batches=10, updates=10, peak=2, record_every=1, evaluate_every=1, checkpoint_every=4)
    val_f1 = [0.1, 0.2, 0.3, 0.8, 0.99, 0.2, 0.3, 0.9, 0.95, 0.9]
    assert its.best({"val_f1": val_f1}) == 7
    assert its.best({"val_f1": val_f1[:7]}) == 3
