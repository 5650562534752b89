"""What is reached without looking, and whether an F1 is more than that."""

import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from deepfake_ensemble.comparison.guessing import ConstantAnswer, constant_answer
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.verdicts import beside_constant


@pytest.mark.parametrize(("fakes", "reals"), [(50, 50), (9622, 10000), (3, 1), (0, 5)])
def test_a_constant_answer_is_scored_as_scikit_learn_scores_it(fakes, reals):
    labels = [1] * fakes + [0] * reals
    accuracies = [accuracy_score(labels, [call] * len(labels)) for call in (0, 1)]
    f1 = f1_score(labels, [1] * len(labels))
    found = constant_answer(fakes, fakes + reals)
    loss = log_loss(labels, [0.5] * len(labels), labels=[0, 1])
    assert found == ConstantAnswer(pytest.approx(max(accuracies)), pytest.approx(f1), pytest.approx(loss))


@pytest.mark.parametrize(
    ("f1", "want"),
    [
        (Interval(0.655, 0.632, 0.666), "less"),  # the best of the sample's networks
        (Interval(0.671, 0.655, 0.681), "not shown to be more"),
        (Interval(0.8, 0.7, 0.9), "more"),
        (Interval(1.0, None, None), "not shown to be more"),
    ],
)
def test_an_f1_is_more_than_a_constant_answer_s_where_its_interval_is(f1, want):
    assert beside_constant(f1, 2 / 3) == want
