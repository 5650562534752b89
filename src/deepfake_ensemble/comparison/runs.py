"""What the networks do on a test set, from stored predictions alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepfake_ensemble.comparison.intervals import Figures, Interval, f1
from deepfake_ensemble.comparison.paired import CorrectedMcNemar, holm, mcnemar
from deepfake_ensemble.comparison.sample import (
    differences,
    intervals,
    resampled_p,
    sample,
    stream,
)
from deepfake_ensemble.evaluation.metrics import Metrics, metrics
from deepfake_ensemble.evaluation.model_choice import best
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method, combine, weights
from deepfake_ensemble.scoring.scores import Confusion
from deepfake_ensemble.training.residual.settings import Run


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How scores are computed; see `evaluation/settings.py`."""

    threshold: float
    ece_bins: int
    smallest_probability: float
    resamples: int
    confidence: float
    seed: int
    weighting: Method


@dataclass(frozen=True)
class Neighbours:
    """Two runs next to each other by F1 on the same images: F1 of the first less the second's, and tests.

    p_value: of the same F1, from the resamples, None where they all agree; p_holm: with Holm's correction for
    all neighbours; mcnemar: of being right equally often, which is another question.
    """

    first: str
    second: str
    f1: Interval
    p_value: float | None
    p_holm: float | None
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
        f1_at_equal_shares: what F1 would be if half of the images were fakes, by run.
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
    intervals: dict[str, Figures]
    f1_at_equal_shares: dict[str, Interval]
    confusion: dict[str, Confusion]
    neighbours: dict[str, Neighbours]
    best: str
    validation: dict[str, Metrics]
    ensemble_weights: dict[str, float]
    left_out: dict[str, str]


def members(done: Collection[str], imagenet: Mapping[str, Run], random: Mapping[str, Run]) -> list[str]:
    """Return the runs that the weighted average is over: each network of the paper as it is, once.

    It is the one that started from ImageNet weights where that was done, else the one from random weights.

    Args:
        done: runs that this profile does.
        imagenet: runs that start from ImageNet weights.
        random: runs that start from random ones.
    """
    chosen: dict[str, str] = {}
    for name, run in (*imagenet.items(), *random.items()):
        if name in done and run.connections == "kept" and run.recipe == "paper":
            chosen.setdefault(run.model, name)
    return list(chosen.values())


def ensemble_weights(val: Aligned, of: Collection[str], settings: Settings) -> dict[str, float]:
    """Return the members' weights by the validation split; none where there are fewer than two.

    Args:
        val: predictions of the validation split.
        of: the members.
        settings: how metrics are taken.
    """
    if len(of) < 2:
        return {}
    return weights(
        settings.weighting,
        val.labels,
        {n: val.p_fake[n] for n in of},
        settings.threshold,
        settings.smallest_probability,
    )


def with_paths(table: Aligned, paths: Collection[str]) -> Aligned:
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


def scores(of: Aligned, settings: Settings) -> dict[str, Metrics]:
    """Return every run's metrics on a split."""
    return {
        name: rounded(
            metrics(of.labels, p, settings.threshold, settings.ece_bins, settings.smallest_probability)
        )
        for name, p in of.p_fake.items()
    }


def compared(
    test: Aligned,
    val: Aligned,
    settings: Settings,
    test_set: str,
    *,
    shares: dict[str, float],
    left_out: dict[str, str],
) -> RunComparison:
    """Return intervals and confusion matrices of all runs, and tests between neighbours.

    A neighbour is the run with the next lower F1 (the weighted average among them). Holm's correction is over
    all of these pairs.

    Args:
        test: predictions of the test set.
        val: those of the validation split.
        settings: how metrics and intervals are taken.
        test_set: its name, for the resamples' own random numbers.
        shares: the weights of the average that is among the runs; empty where there is none.
        left_out: why runs are not there, by run.
    """
    of_all = sample(
        test.labels,
        test.p_fake,
        resamples=settings.resamples,
        seed=stream(settings.seed, test_set),
        threshold=settings.threshold,
        smallest=settings.smallest_probability,
    )
    runs = of_all.detectors
    ranked = sorted(runs, key=lambda name: (-runs[name].counts.f1, name))
    pairs = list(pairwise(ranked))
    answers = [mcnemar(runs[a].right, runs[b].right) for a, b in pairs]
    f1_p = [resampled_p(runs[a].resampled["f1"] - runs[b].resampled["f1"]) for a, b in pairs]
    answers_holm, f1_holm = holm([answer.p_value for answer in answers]), holm(f1_p)
    return RunComparison(
        test_set=test_set,
        n=len(test.labels),
        n_fake=int(test.labels.sum()),
        threshold=settings.threshold,
        confidence=settings.confidence,
        resamples=settings.resamples,
        intervals=rounded({name: intervals(of_all, name, settings.confidence) for name in ranked}),
        f1_at_equal_shares=rounded(
            {name: f1(runs[name].counts, settings.confidence, reals_per_fake=1) for name in ranked}
        ),
        confusion={name: runs[name].counts for name in ranked},
        neighbours=rounded(
            {
                f"{a}_vs_{b}": Neighbours(
                    first=a,
                    second=b,
                    f1=differences(of_all, a, b, settings.confidence).f1,
                    p_value=f1_p[i],
                    p_holm=f1_holm[i],
                    mcnemar=CorrectedMcNemar(**vars(answers[i]), p_holm=answers_holm[i]),
                )
                for i, (a, b) in enumerate(pairs)
            }
        ),
        best=best(val.labels, val.p_fake, settings.threshold),
        validation=scores(val, settings),
        ensemble_weights=shares,
        left_out=left_out,
    )
