"""How certain one training is: what figures do when it is repeated with other seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError

GAIN = "ensemble_less_best_member"


@dataclass(frozen=True)
class Spread:
    """A figure over repeated trainings: `values` by seed, their mean and standard deviation.

    repeatability: the difference that two trainings with unlike seeds stay below in 95 of 100 cases, 1.96 √2
    standard deviations (ISO 5725-2, repeatability limit): a gain that is smaller may be the seed's.
    """

    values: Sequence[float]
    mean: float
    deviation: float
    repeatability: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least two values.

    Raises:
        UserError: if there are fewer.
    """
    if len(values) < 2:
        raise UserError("seeds: a spread needs at least two of them; add another")
    deviation = stdev(values)
    return Spread(tuple(values), mean(values), deviation, 1.96 * sqrt(2) * deviation)


def spreads(
    runs: Sequence[Mapping[str, Mapping[str, float]]], metrics: Sequence[str]
) -> dict[str, dict[str, Spread]]:
    """Return by detector and metric the spread over runs, each of which has figures by detector and metric.

    Under GAIN stands what the ensemble has more than the member that was the best of its run, by the metric.
    """
    with_gain = [{**run, GAIN: {metric: _gain(run, metric) for metric in metrics}} for run in runs]
    return {
        name: {metric: spread([run[name][metric] for run in with_gain]) for metric in metrics}
        for name in with_gain[0]
    }


def _gain(run: Mapping[str, Mapping[str, float]], metric: str) -> float:
    members = [figures[metric] for name, figures in run.items() if name != ENSEMBLE]
    return run[ENSEMBLE][metric] - max(members)
