import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from deepfake_ensemble.comparison import intervals as module
from deepfake_ensemble.comparison.intervals import (
    METRICS,
    bootstrap,
    differences,
    interval,
    intervals,
    wilson,
)
from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.foundation.errors import UserError


def detectors(n, seed=0, digits=None):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(int)
    p_fake = {
        name: 1 / (1 + np.exp(-rng.normal(skill * (2 * labels - 1), 1.5)))
        for name, skill in (("a", 0.5), ("b", 1.5))
    }
    return labels, {name: p if digits is None else np.round(p, digits) for name, p in p_fake.items()}


def by_scikit_learn(labels, p_fake, times):
    called = p_fake >= 0.5
    return {
        "accuracy": sk.accuracy_score(labels, called, sample_weight=times),
        "precision": sk.precision_score(labels, called, sample_weight=times, zero_division=0),
        "recall": sk.recall_score(labels, called, sample_weight=times),
        "f1": sk.f1_score(labels, called, sample_weight=times),
        "auc": sk.roc_auc_score(labels, p_fake, sample_weight=times),
        "average_precision": sk.average_precision_score(labels, p_fake, sample_weight=times),
        "log_loss": sk.log_loss(labels, p_fake, sample_weight=times),
    }


@pytest.mark.parametrize("digits", [None, 1, 0])
def test_every_resample_has_the_metrics_that_scikit_learn_gives_the_images_drawn(digits):
    labels, p_fake = detectors(90, digits=digits)
    got = bootstrap(labels, p_fake, resamples=40, seed=[3, 4])
    fakes, reals = int(labels.sum()), int((1 - labels).sum())
    draw_fake, draw_real = (np.random.default_rng(s) for s in np.random.SeedSequence([3, 4]).spawn(2))
    for r in range(40):
        times = np.zeros(len(labels))
        times[labels == 1] = np.bincount(draw_fake.integers(0, fakes, fakes), minlength=fakes)
        times[labels == 0] = np.bincount(draw_real.integers(0, reals, reals), minlength=reals)
        for name, p in p_fake.items():
            want = by_scikit_learn(labels, p, times)
            assert {metric: got.resampled[name][metric][r] for metric in METRICS} == pytest.approx(
                want, abs=1e-12
            )


def test_estimates_are_the_metrics_of_the_images_themselves():
    labels, p_fake = detectors(200)
    got = bootstrap(labels, p_fake, resamples=10, seed=0)
    for name, p in p_fake.items():
        assert got.estimates[name] == {metric: getattr(metrics(labels, p), metric) for metric in METRICS}


def test_intervals_agree_with_scipys_bootstrap():
    labels, p_fake = detectors(400)
    got = intervals(bootstrap(labels, p_fake, resamples=5000, seed=1), "b")

    def accuracy(fakes, reals, axis):
        return ((fakes >= 0.5).sum(axis=axis) + (reals < 0.5).sum(axis=axis)) / len(labels)

    def auc(fakes, reals):
        return stats.mannwhitneyu(fakes, reals).statistic / (len(fakes) * len(reals))

    p = p_fake["b"]
    for metric, statistic, resamples in (("accuracy", accuracy, 5000), ("auc", auc, 1500)):
        theirs = stats.bootstrap(
            (p[labels == 1], p[labels == 0]),
            statistic,
            n_resamples=resamples,
            vectorized=metric == "accuracy",
            method="percentile",
            rng=np.random.default_rng(2),
        ).confidence_interval
        width = theirs.high - theirs.low
        assert getattr(got, metric).ci_low == pytest.approx(theirs.low, abs=0.1 * width)
        assert getattr(got, metric).ci_high == pytest.approx(theirs.high, abs=0.1 * width)
        assert getattr(got, metric).ci_low < getattr(got, metric).value < getattr(got, metric).ci_high


def test_the_interval_is_as_wide_as_the_confidence_asks():
    resampled = np.arange(1001) / 1000
    assert interval(0.5, resampled, 0.9) == module.Interval(0.5, pytest.approx(0.05), pytest.approx(0.95))
    assert interval(0.5, resampled) == module.Interval(0.5, pytest.approx(0.025), pytest.approx(0.975))


def test_resamples_are_shared_between_detectors_and_repeat_with_the_seed():
    labels, p_fake = detectors(300)
    both = bootstrap(labels, p_fake, resamples=100, seed=5)
    alone = bootstrap(labels, {"b": p_fake["b"]}, resamples=100, seed=5)
    other = bootstrap(labels, p_fake, resamples=100, seed=6)
    for metric in METRICS:
        assert np.array_equal(both.resampled["b"][metric], alone.resampled["b"][metric])
        assert not np.array_equal(both.resampled["b"][metric], other.resampled["b"][metric])


def test_paired_differences_are_narrower_than_independent_ones():
    labels, p_fake = detectors(300)
    p_fake["c"] = np.clip(p_fake["b"] + 0.01, 0, 1)
    one = bootstrap(labels, p_fake, resamples=500, seed=5)
    other = bootstrap(labels, p_fake, resamples=500, seed=6)
    paired, independent = differences(one, "c", one, "b"), differences(one, "c", other, "b")
    for metric in ("accuracy", "log_loss"):
        both = [getattr(of, metric) for of in (paired, independent)]
        assert both[0].value == both[1].value
        widths = [of.ci_high - of.ci_low for of in both]
        assert widths[0] < widths[1] / 3
    same = differences(one, "b", one, "b")
    assert {(d.value, d.ci_low, d.ci_high) for d in vars(same).values()} == {(0, 0, 0)}


@pytest.mark.parametrize("batch", [1, 1000, 10**6])
def test_the_size_of_a_batch_does_not_show(monkeypatch, batch):
    labels, p_fake = detectors(100)
    want = bootstrap(labels, p_fake, resamples=37, seed=1)
    monkeypatch.setattr(module, "_BATCH", batch)
    got = bootstrap(labels, p_fake, resamples=37, seed=1)
    for metric in METRICS:
        np.testing.assert_allclose(
            got.resampled["a"][metric], want.resampled["a"][metric], rtol=0, atol=1e-12
        )


def test_detectors_that_are_all_right_or_all_wrong_have_intervals_without_width():
    labels = np.array([0, 0, 1, 1, 1])
    got = bootstrap(labels, {"right": labels / 1.0, "wrong": 1.0 - labels}, resamples=50, seed=0)
    for name, value in (("right", 1.0), ("wrong", 0.0)):
        found = intervals(got, name)
        for metric in ("accuracy", "precision", "recall", "f1", "auc"):
            assert getattr(found, metric) == module.Interval(value, value, value)


def test_no_fake_called_gives_precision_zero_and_one_image_of_each_class_is_enough():
    got = intervals(bootstrap(np.array([0, 1]), {"a": np.array([0.1, 0.2])}, resamples=20, seed=0), "a")
    assert got.precision == module.Interval(0, 0, 0)
    assert got.auc == module.Interval(1, 1, 1)


def test_one_class_is_refused():
    with pytest.raises(UserError, match="all 1 images are fake"):
        bootstrap(np.array([1]), {"a": np.array([0.5])}, resamples=10, seed=0)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (9_990, 10_000)])
@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_intervals_of_shares_equal_those_of_statsmodels(k, n, confidence):
    low, high = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    got = wilson(k, n, confidence)
    assert (got.value, got.ci_low, got.ci_high) == pytest.approx((k / n, low, high), abs=1e-12)
    assert 0 <= got.ci_low < got.ci_high <= 1
