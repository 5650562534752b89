import math
import warnings
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from deepfake_ensemble.evaluation.metrics import metrics, precision_recall_curve, roc_curve
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.scoring.scores import Confusion, confusion


def reference(labels, p_fake, threshold=0.5, ece_bins=15):
    called = p_fake >= threshold
    index = np.minimum(np.floor(p_fake * ece_bins).astype(int), ece_bins - 1)
    ece = sum(
        (index == k).mean() * abs(labels[index == k].mean() - p_fake[index == k].mean())
        for k in range(ece_bins)
        if (index == k).any()
    )
    return {
        "accuracy": sk.accuracy_score(labels, called),
        "precision": sk.precision_score(labels, called, zero_division=0),
        "recall": sk.recall_score(labels, called),
        "f1": sk.f1_score(labels, called),
        "auc": sk.roc_auc_score(labels, p_fake),
        "average_precision": sk.average_precision_score(labels, p_fake),
        "log_loss": sk.log_loss(labels, p_fake, labels=[0, 1]),
        "brier": sk.brier_score_loss(labels, p_fake),
        "ece": ece,
        "n": len(labels),
    }


def noisy(n, ties=False, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(int)
    p_fake = 1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1.5)))
    return labels, np.round(p_fake, 1) if ties else p_fake


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("threshold", [0.5, 0.1, 0.97])
def test_metrics_equal_those_of_scikit_learn(ties, threshold):
    labels, p_fake = noisy(20_000, ties)
    got = asdict(metrics(labels, p_fake, threshold=threshold))
    assert got == pytest.approx(reference(labels, p_fake, threshold), rel=0, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 1e-20, 0.2, 0.5, 0.5000001, 1.0]) | st.floats(0, 1)),
        max_size=30,
    )
)
def test_metrics_equal_those_of_scikit_learn_on_any_few_images(rows):
    labels = np.array([0, 1] + [int(label) for label, _ in rows])
    p_fake = np.array([0.4, 0.5] + [p for _, p in rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = reference(labels, p_fake)
    assert asdict(metrics(labels, p_fake)) == pytest.approx(want, rel=0, abs=1e-12)


def test_all_right_and_certain_is_perfect_in_every_metric():
    got = metrics(np.array([0, 1, 1]), np.array([0.0, 1.0, 1.0]))
    assert (got.accuracy, got.precision, got.recall, got.f1) == (1, 1, 1, 1)
    assert (got.auc, got.average_precision, got.brier, got.ece, got.n) == (1, 1, 0, 0, 3)
    assert got.log_loss == pytest.approx(0, abs=1e-15)


def test_all_wrong_and_certain_is_finite_and_the_worst():
    got = metrics(np.array([0, 0, 1]), np.array([1.0, 1.0, 0.0]))
    assert (got.accuracy, got.precision, got.recall, got.f1, got.auc) == (0, 0, 0, 0, 0)
    assert (got.brier, got.ece) == (1, 1)
    assert got.log_loss == pytest.approx(-math.log(np.finfo(float).eps))


def test_one_probability_for_all_images_is_no_better_than_chance():
    got = metrics(np.array([0, 1, 0, 1]), np.full(4, 0.3))
    assert (got.auc, got.average_precision, got.precision, got.recall) == (0.5, 0.5, 0, 0)


def test_the_threshold_itself_counts_as_fake():
    assert confusion(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.4, 0.4])) == Confusion(1, 1, 1, 1)


def test_the_bins_of_the_calibration_error_are_as_wide_as_asked():
    labels, p_fake = noisy(500)
    for bins in (1, 10, 40):
        want = reference(labels, p_fake, ece_bins=bins)["ece"]
        assert metrics(labels, p_fake, ece_bins=bins).ece == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(("label", "name"), [(0, "real"), (1, "fake")])
@pytest.mark.parametrize("function", [metrics, roc_curve, precision_recall_curve])
@pytest.mark.parametrize("n", [1, 7])
def test_images_of_one_class_are_refused(label, name, function, n):
    with pytest.raises(UserError, match=f"all {n} images are {name}"):
        function(np.full(n, label), np.linspace(0, 1, n))


@pytest.mark.parametrize("ties", [False, True])
def test_full_curves_pass_through_scikit_learns_points(ties):
    labels, p_fake = noisy(400, ties)
    fpr, tpr = roc_curve(labels, p_fake, points=10_000)
    sk_fpr, sk_tpr, _ = sk.roc_curve(labels, p_fake, drop_intermediate=False)
    np.testing.assert_allclose(np.interp(sk_fpr + sk_tpr, fpr + tpr, tpr), sk_tpr, atol=1e-12)
    assert sk.auc(fpr, tpr) == pytest.approx(sk.roc_auc_score(labels, p_fake), abs=1e-12)

    recall, precision = precision_recall_curve(labels, p_fake, points=10_000)
    sk_precision, sk_recall, _ = sk.precision_recall_curve(labels, p_fake)
    theirs = set(zip(sk_recall.tolist(), sk_precision.tolist(), strict=True))
    assert set(zip(recall.tolist(), precision.tolist(), strict=True)) <= theirs


def test_points_on_a_straight_line_are_left_out():
    fpr, tpr = roc_curve(np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9]))
    assert (fpr.tolist(), tpr.tolist()) == ([0, 0, 1], [0, 1, 1])
    recall, precision = precision_recall_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert (recall.tolist(), precision.tolist()) == ([0, 1, 1], [1, 1, 0.5])


@pytest.mark.parametrize("ties", [False, True])
def test_thinned_curves_keep_their_ends_and_lie_on_the_full_curve(ties):
    labels, p_fake = noisy(20_000, ties)
    for function, ends in (
        (roc_curve, [(0, 0), (1, 1)]),
        (precision_recall_curve, [(0, 1), (1, labels.mean())]),
    ):
        thin = list(zip(*(a.tolist() for a in function(labels, p_fake, points=100)), strict=True))
        full = list(zip(*(a.tolist() for a in function(labels, p_fake, points=10**6)), strict=True))
        assert len(thin) <= 100
        assert set(thin) <= set(full)
        assert [thin[0], thin[-1]] == ends
        assert len(thin) == len(set(thin)) and thin == sorted(thin, key=full.index)
    assert sk.auc(*roc_curve(labels, p_fake, points=100)) == pytest.approx(
        sk.roc_auc_score(labels, p_fake), abs=1e-3
    )
