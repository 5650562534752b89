import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from deepfake_ensemble.comparison import sample as module
from deepfake_ensemble.comparison.intervals import METRICS, Interval, f1, paired, wilson
from deepfake_ensemble.comparison.sample import (
    RESAMPLED,
    differences,
    differences_between,
    intervals,
    percentiles,
    resampled_p,
    sample,
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
        "precision": sk.precision_score(labels, called, sample_weight=times, zero_division=np.nan),
        "f1": sk.f1_score(labels, called, sample_weight=times),
        "average_precision": sk.average_precision_score(labels, p_fake, sample_weight=times),
        "log_loss": sk.log_loss(labels, p_fake, sample_weight=times),
    }


@pytest.mark.parametrize("digits", [None, 1, 0])
def test_every_resample_has_the_metrics_that_scikit_learn_gives_the_images_drawn(digits):
    labels, p_fake = detectors(90, digits=digits)
    got = sample(labels, p_fake, resamples=40, seed=[3, 4])
    fakes, reals = int(labels.sum()), int((1 - labels).sum())
    draw_fake, draw_real = (np.random.default_rng(s) for s in np.random.SeedSequence([3, 4]).spawn(2))
    for r in range(40):
        times = np.zeros(len(labels))
        times[labels == 1] = np.bincount(draw_fake.integers(0, fakes, fakes), minlength=fakes)
        times[labels == 0] = np.bincount(draw_real.integers(0, reals, reals), minlength=reals)
        for name, p in p_fake.items():
            want = by_scikit_learn(labels, p, times)
            assert {
                metric: got.detectors[name].resampled[metric][r] for metric in RESAMPLED
            } == pytest.approx(want, abs=1e-12, nan_ok=True)


def test_estimates_are_the_metrics_of_the_images_themselves():
    labels, p_fake = detectors(200)
    got = sample(labels, p_fake, resamples=10, seed=0)
    for name, p in p_fake.items():
        assert got.detectors[name].estimates == {
            metric: getattr(metrics(labels, p), metric) for metric in METRICS
        }


def test_resampled_intervals_agree_with_scipys_bootstrap():
    labels, p_fake = detectors(400)
    got = intervals(sample(labels, p_fake, resamples=5000, seed=1), "b")
    p = p_fake["b"]

    def log_loss(fakes, reals, axis):
        return -(np.log(fakes).sum(axis=axis) + np.log(1 - reals).sum(axis=axis)) / len(labels)

    def average_precision(fakes, reals):
        truth = np.repeat([1, 0], [len(fakes), len(reals)])
        return sk.average_precision_score(truth, np.concatenate((fakes, reals)))

    for metric, statistic, resamples in (
        ("log_loss", log_loss, 5000),
        ("average_precision", average_precision, 1500),
    ):
        theirs = stats.bootstrap(
            (p[labels == 1], p[labels == 0]),
            statistic,
            n_resamples=resamples,
            vectorized=metric == "log_loss",
            method="percentile",
            rng=np.random.default_rng(2),
        ).confidence_interval
        width = theirs.high - theirs.low
        assert getattr(got, metric).ci_low == pytest.approx(theirs.low, abs=0.1 * width)
        assert getattr(got, metric).ci_high == pytest.approx(theirs.high, abs=0.1 * width)


def test_shares_have_the_intervals_of_their_counts():
    labels, p_fake = detectors(400)
    of = sample(labels, p_fake, resamples=10, seed=1)
    c, got = of.detectors["a"].counts, intervals(of, "a")
    assert got.accuracy == wilson(c.tp + c.tn, 400)
    assert got.precision == wilson(c.tp, c.tp + c.fp)
    assert got.recall == wilson(c.tp, c.tp + c.fn)
    assert got.f1 == f1(c)


def test_the_interval_is_as_wide_as_the_confidence_asks():
    resampled = np.arange(1001) / 1000
    assert percentiles(0.5, resampled, 0.9) == Interval(0.5, pytest.approx(0.05), pytest.approx(0.95))
    assert percentiles(0.5, resampled) == Interval(0.5, pytest.approx(0.025), pytest.approx(0.975))
    assert percentiles(0.5, np.append(resampled, np.nan)) == percentiles(0.5, resampled)


def test_resamples_are_shared_between_detectors_and_repeat_with_the_seed():
    labels, p_fake = detectors(300)
    both = sample(labels, p_fake, resamples=100, seed=5)
    alone = sample(labels, {"b": p_fake["b"]}, resamples=100, seed=5)
    other = sample(labels, p_fake, resamples=100, seed=6)
    for metric in RESAMPLED:
        drawn = [of.detectors["b"].resampled[metric] for of in (both, alone, other)]
        assert np.array_equal(drawn[0], drawn[1])
        assert not np.array_equal(drawn[0], drawn[2])


def test_paired_differences_are_narrower_than_independent_ones():
    labels, p_fake = detectors(300)
    p_fake["c"] = np.clip(p_fake["b"] + 0.01, 0, 1)
    of = sample(labels, p_fake, resamples=500, seed=5)
    together = differences(of, "c", "b")
    apart = differences_between(intervals(of, "c"), intervals(of, "b"))
    for metric in ("accuracy", "recall", "log_loss"):
        one, other = (getattr(each, metric) for each in (together, apart))
        assert one.value == pytest.approx(other.value, abs=1e-15)
        assert one.ends[1] - one.ends[0] < (other.ends[1] - other.ends[0]) / 2, metric


def test_a_detector_less_itself_is_zero_with_a_width_where_other_images_may_differ():
    labels, p_fake = detectors(300)
    of = sample(labels, p_fake, resamples=50, seed=5)
    same = differences(of, "b", "b")
    assert {figure.value for figure in vars(same).values()} == {0}
    assert same.accuracy == paired(0, 0, 300)
    for metric in ("accuracy", "precision", "recall", "f1", "auc"):
        low, high = getattr(same, metric).ends
        assert low < 0 < high
    assert same.log_loss.ci_low is None


@pytest.mark.parametrize("batch", [1, 1000, 10**6])
def test_the_size_of_a_batch_does_not_show(monkeypatch, batch):
    labels, p_fake = detectors(100)
    want = sample(labels, p_fake, resamples=37, seed=1).detectors["a"].resampled
    monkeypatch.setattr(module, "_BATCH", batch)
    got = sample(labels, p_fake, resamples=37, seed=1).detectors["a"].resampled
    for metric in RESAMPLED:
        np.testing.assert_allclose(got[metric], want[metric], rtol=0, atol=1e-12)


def test_detectors_that_are_all_right_or_all_wrong_are_not_certain_to_stay_so():
    labels = np.array([0, 0, 1, 1, 1])
    got = sample(labels, {"right": labels / 1.0, "wrong": 1.0 - labels}, resamples=50, seed=0)
    for name, value in (("right", 1.0), ("wrong", 0.0)):
        found = intervals(got, name)
        for metric in ("accuracy", "precision", "recall", "f1", "auc"):
            figure = getattr(found, metric)
            assert figure.value == value
            assert figure.ends[1] - figure.ends[0] > 0.3
    assert intervals(got, "right").average_precision == Interval(1, None, None)


def test_no_fake_called_leaves_precision_undefined_and_one_image_of_each_class_is_enough():
    of = sample(
        np.array([0, 1]), {"a": np.array([0.1, 0.2]), "b": np.array([0.1, 0.9])}, resamples=20, seed=0
    )
    got = intervals(of, "a")
    assert got.precision is None and of.detectors["a"].estimates["precision"] is None
    assert got.auc == Interval(1, pytest.approx(0.025), 1)
    assert differences(of, "a", "b").precision is None


def test_one_class_is_refused():
    with pytest.raises(UserError, match="all 1 images are fake"):
        sample(np.array([1]), {"a": np.array([0.5])}, resamples=10, seed=0)


def test_the_resampled_test_of_f1_agrees_with_the_delta_method():
    """Its standard error by each image's influence on 2 tp / (fakes + called), each class by itself."""
    labels, p_fake = detectors(1200)
    of = sample(labels, p_fake, resamples=4000, seed=3)

    def influence(name):
        called = p_fake[name] >= 0.5
        n = labels.sum() + called.sum()
        f1 = 2 * (called & (labels == 1)).sum() / n
        return (2 * (called & (labels == 1)) - f1 * called) / n

    for shift in (0.0, 0.02, 0.05):
        change = of.detectors["a"].resampled["f1"] - of.detectors["b"].resampled["f1"]
        change = change - change.mean() + shift
        each = influence("a") - influence("b")
        error = np.sqrt(sum((labels == y).sum() * each[labels == y].var(ddof=1) for y in (0, 1)))
        assert change.std() == pytest.approx(error, rel=0.06)
        assert resampled_p(change) == pytest.approx(2 * stats.norm.sf(shift / error), abs=0.05)
    assert resampled_p(np.zeros(10)) is None
