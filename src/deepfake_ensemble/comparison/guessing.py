"""Whether a detector tells the classes apart at all: one whose training failed does not."""

from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.comparison import delong
from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval
from deepfake_ensemble.scoring.scores import Confusion, confusion

Guess = Literal["better", "worse", "may be guessing"]
Ranks = Literal["better", "worse", "not shown to be better"]


@dataclass(frozen=True)
class ConstantAnswer:
    """What is reached by saying the same of every image: the accuracy of calling all what most of them are,
    the F1 of calling all fake, and the log loss of P(fake) = 0.5."""

    accuracy: float
    f1: float
    log_loss: float = log(2)


def constant_answer(n_fake: int, n: int) -> ConstantAnswer:
    """Return what a constant answer reaches on n images, n_fake of them fake."""
    share = n_fake / n
    return ConstantAnswer(max(share, 1 - share), 2 * share / (1 + share))


@dataclass(frozen=True)
class Guessing:
    """How a detector compares with one that calls images fake whatever they show.

    true_positive_rate, false_positive_rate: such a one's are alike; p_value: of Fisher's exact test that they
    are; at_chance: that is not ruled out; worse: fakes are called fake less often than reals, by more than
    chance; auc: the same question at all thresholds.
    """

    accuracy: float
    true_positive_rate: float
    false_positive_rate: float
    p_value: float
    at_chance: bool
    worse: bool
    auc: Interval

    @property
    def verdict(self) -> Guess:
        """What follows for its calls of fake and real."""
        return "worse" if self.worse else "may be guessing" if self.at_chance else "better"

    @property
    def ranks(self) -> Ranks:
        """What follows for its order of the images, whatever the threshold: DeLong's test that AUC is 0.5,
        which is its interval turned round."""
        if self.auc.ci_low is not None and self.auc.ci_low > 0.5:
            return "better"
        return (
            "worse" if self.auc.ci_high is not None and self.auc.ci_high < 0.5 else "not shown to be better"
        )


def against_guessing(
    labels: NDArray[np.int64],
    p_fake: NDArray[np.float64],
    threshold: float,
    confidence: float = CONFIDENCE,
) -> Guessing:
    """Test, two-sided and exactly, whether fakes are called fake as often as reals.

    Args:
        labels: 0 or 1, both of them, shape (n,).
        p_fake: P(fake), shape (n,).
        threshold: from which P(fake) on an image is called fake.
        confidence: chance is ruled out if the p-value is below what this leaves of 1.
    """
    c = confusion(labels, p_fake, threshold)
    rates = c.tp / (c.tp + c.fn), c.fp / (c.fp + c.tn)
    p_value = fisher(c)
    beyond = p_value < 1 - confidence
    return Guessing(
        accuracy=c.accuracy,
        true_positive_rate=rates[0],
        false_positive_rate=rates[1],
        p_value=p_value,
        at_chance=not beyond,
        worse=beyond and rates[0] < rates[1],
        auc=delong.interval(delong.placements(labels, p_fake), confidence),
    )


def fisher(c: Confusion) -> float:
    """Return the two-sided p-value of Fisher's exact test that fakes and reals are called fake equally often:
    the chance of tables with these margins that are at most as likely (Fisher 1935)."""
    from scipy.special import gammaln

    called, fakes, reals = c.tp + c.fp, c.tp + c.fn, c.fp + c.tn
    tp = np.arange(max(0, called - reals), min(called, fakes) + 1)

    def choose(n: int, k: np.ndarray) -> np.ndarray:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    logs = choose(fakes, tp) + choose(reals, called - tp)
    chances = np.exp(logs - logs.max())
    of_this = chances[c.tp - tp[0]]
    # What rounding makes a little more likely than the table itself counts too.
    return float(min(1.0, chances[chances <= of_this * (1 + 1e-7)].sum() / chances.sum()))
