"""A detector that calls images fake whatever they show is told from one that has learned something."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import fisher_exact, mannwhitneyu

from deepfake_ensemble.comparison.guessing import against_guessing, fisher
from deepfake_ensemble.scoring.scores import Confusion


def detector(fakes: int, found: int, reals: int, called: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and P(fake) of a detector that calls so many fakes and so many reals fake."""
    labels = np.repeat([1, 0], [fakes, reals])
    at = np.concatenate((np.arange(fakes) < found, np.arange(reals) < called))
    return labels, np.where(at, 0.9, 0.1)


@pytest.mark.parametrize(
    "counts", [(100, 4, 100, 0), (100, 57, 100, 44), (80, 0, 120, 0), (5, 5, 7, 0), (60, 20, 140, 70)]
)
def test_the_p_value_is_that_of_scipys_exact_test(counts: tuple[int, int, int, int]) -> None:
    fakes, found, reals, called = counts
    c = Confusion(tp=found, fp=called, tn=reals - called, fn=fakes - found)
    want = fisher_exact([[c.tp, c.fn], [c.fp, c.tn]]).pvalue
    assert fisher(c) == pytest.approx(want, rel=1e-9)
    got = against_guessing(*detector(*counts), 0.5, 0.95)
    assert got.p_value == pytest.approx(want, rel=1e-9)
    assert got.at_chance == (want >= 0.05)
    assert got.worse == (want < 0.05 and found / fakes < called / reals)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((100, 4, 100, 0), "may be guessing"),  # 4 found without a false alarm: p = 0.12
        ((100, 50, 100, 50), "may be guessing"),
        ((100, 100, 100, 100), "may be guessing"),
        ((100, 70, 100, 30), "better"),
        ((100, 30, 100, 70), "worse"),
    ],
)
def test_the_rule_looks_in_both_directions(counts: tuple[int, int, int, int], verdict: str) -> None:
    assert against_guessing(*detector(*counts), 0.5, 0.95).verdict == verdict


def test_many_images_are_tested_in_time_and_the_area_stands_beside() -> None:
    labels, p_fake = detector(10_000, 5_200, 10_000, 4_800)
    found = against_guessing(labels, p_fake, 0.5, 0.95)
    assert found.verdict == "better" and found.p_value < 1e-6
    assert found.auc.value == pytest.approx(0.52) and found.auc.ends[0] > 0.5


@pytest.mark.parametrize(
    ("n", "shift", "ranks"),
    [(400, 0.5, "better"), (400, -0.5, "worse"), (400, 0.0, "not shown to be better")],
)
def test_the_order_of_images_is_judged_apart_from_the_calls_at_a_threshold_that_suits_none(
    n: int, shift: float, ranks: str
) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(n) % 2
    p_fake = expit(rng.normal(size=n) + shift * labels - 20)  # all called real
    found = against_guessing(labels, p_fake, 0.5, 0.95)
    assert (found.verdict, found.ranks) == ("may be guessing", ranks)
    p = mannwhitneyu(p_fake[labels == 1], p_fake[labels == 0]).pvalue
    assert (p < 0.05) == (ranks != "not shown to be better")
