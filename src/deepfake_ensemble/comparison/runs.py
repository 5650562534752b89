"""What the networks do on a test set, from stored predictions alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepfake_ensemble.comparison.intervals import (
    ByMetric,
    Interval,
    bootstrap,
    differences,
    intervals,
    stream,
)
from deepfake_ensemble.comparison.paired import CorrectedMcNemar, holm, mcnemar
from deepfake_ensemble.evaluation.metrics import Metrics, metrics
from deepfake_ensemble.evaluation.model_choice import best
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method, combine, weights
from deepfake_ensemble.scoring.scores import Confusion, confusion
from deepfake_ensemble.training.residual.settings import Run


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How scores are computed; see `evaluation/settings.py`."""

    threshold: float
    ece_bins: int
    resamples: int
    confidence: float
    seed: int
    weighting: Method


@dataclass(frozen=True)
class Neighbours:
    """Two runs next to each other by F1 on the same images: F1 of the first less the second's, and a test."""

    first: str
    second: str
    f1: Interval
    mcnemar: CorrectedMcNemar


@dataclass(frozen=True)
class RunComparison:
    """All runs that were done on one test set.

    Attributes:
        test_set: its name.
        n: of its images.
        n_fake: fake ones among them.
        threshold: an image is called fake from this P(fake) up.
        confidence: of all intervals.
        resamples: behind each of them.
        intervals: by run, the highest F1 first.
        confusion: by run, in the same order.
        neighbours: by their names with _vs_ between.
        best: the run with the highest F1 on validation.
        validation: each run's metrics there.
        ensemble_weights: of the weighted average; empty where there is none.
        left_out: why a run was not done.
    """

    test_set: str
    n: int
    n_fake: int
    threshold: float
    confidence: float
    resamples: int
    intervals: dict[str, ByMetric[Interval]]
    confusion: dict[str, Confusion]
    neighbours: dict[str, Neighbours]
    best: str
    validation: dict[str, Metrics]
    ensemble_weights: dict[str, float]
    left_out: dict[str, str]


def members(done: Collection[str], imagenet: Mapping[str, Run], random: Mapping[str, Run]) -> list[str]:
    """Return the runs that the weighted average is over: each network of the paper as it is, once.

    It is the one that started from ImageNet weights where that was done, else the one from random weights.
    """
    chosen: dict[str, str] = {}
    for name, run in (*imagenet.items(), *random.items()):
        if name in done and run.connections == "kept" and run.recipe == "paper":
            chosen.setdefault(run.model, name)
    return list(chosen.values())


def ensemble_weights(val: Aligned, of: Collection[str], measuring: Measuring) -> dict[str, float]:
    """Return the members' weights by the validation split; none where there are fewer than two."""
    if len(of) < 2:
        return {}
    return weights(measuring.weighting, val.labels, {n: val.p_fake[n] for n in of}, measuring.threshold)


def only(table: Aligned, paths: Collection[str]) -> Aligned:
    """Return the rows of `table` whose path is in `paths`."""
    kept = np.array([path in paths for path in table.paths], dtype=bool)
    return Aligned(
        tuple(path for path, keep in zip(table.paths, kept, strict=True) if keep),
        table.labels[kept],
        {name: p[kept] for name, p in table.p_fake.items()},
    )


def with_ensemble(test: Aligned, shares: Mapping[str, float]) -> Aligned:
    """Return the runs' P(fake), and their weighted average's where there are shares."""
    if not shares:
        return test
    p_fake = combine(shares, {name: test.p_fake[name] for name in shares})
    return Aligned(test.paths, test.labels, {**test.p_fake, ENSEMBLE: p_fake})


def scores(of: Aligned, measuring: Measuring) -> dict[str, Metrics]:
    """Return every run's metrics on a split."""
    return {
        name: rounded(metrics(of.labels, p, measuring.threshold, measuring.ece_bins))
        for name, p in of.p_fake.items()
    }


def compared(
    test: Aligned,
    val: Aligned,
    measuring: Measuring,
    test_set: str,
    *,
    shares: dict[str, float],
    left_out: dict[str, str],
) -> RunComparison:
    """Return intervals and confusion matrices of all runs, and tests between neighbours.

    A neighbour is the run with the next lower F1 (the weighted average among them). Holm's correction is over
    all of these pairs.
    """
    sampled = bootstrap(
        test.labels,
        test.p_fake,
        resamples=measuring.resamples,
        seed=stream(measuring.seed, test_set),
        threshold=measuring.threshold,
    )
    ranked = sorted(test.p_fake, key=lambda name: (-sampled.estimates[name]["f1"], name))
    right = {name: (p >= measuring.threshold) == test.labels for name, p in test.p_fake.items()}
    answers = {(a, b): mcnemar(right[a], right[b]) for a, b in pairwise(ranked)}
    corrected = holm([answer.p_value for answer in answers.values()])
    return RunComparison(
        test_set=test_set,
        n=len(test.labels),
        n_fake=int(test.labels.sum()),
        threshold=measuring.threshold,
        confidence=measuring.confidence,
        resamples=measuring.resamples,
        intervals=rounded({name: intervals(sampled, name, measuring.confidence) for name in ranked}),
        confusion={name: confusion(test.labels, test.p_fake[name], measuring.threshold) for name in ranked},
        neighbours=rounded(
            {
                f"{a}_vs_{b}": Neighbours(
                    first=a,
                    second=b,
                    f1=differences(sampled, a, sampled, b, measuring.confidence).f1,
                    mcnemar=CorrectedMcNemar(**vars(answer), p_holm=p_holm),
                )
                for ((a, b), answer), p_holm in zip(answers.items(), corrected, strict=True)
            }
        ),
        best=best(val.labels, val.p_fake, measuring.threshold),
        validation=scores(val, measuring),
        ensemble_weights=shares,
        left_out=left_out,
    )
