"""What the networks do on a test set, from stored predictions alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise, permutations

import numpy as np

from deepfake_ensemble.comparison.guessing import ConstantAnswer, constant_answer
from deepfake_ensemble.comparison.intervals import Figures, Interval, f1
from deepfake_ensemble.comparison.paired import CorrectedMcNemar, holm, mcnemar
from deepfake_ensemble.comparison.sample import (
    Sample,
    differences,
    intervals,
    resampled_p,
    sample,
    stream,
)
from deepfake_ensemble.comparison.verdicts import beside_constant
from deepfake_ensemble.evaluation.metrics import Metrics, metrics
from deepfake_ensemble.evaluation.model_choice import best
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method, combine, weights
from deepfake_ensemble.scoring.scores import Confusion
from deepfake_ensemble.training.residual.settings import ProfileRun, Recipe, Run, Runs


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
class Pair:
    """Two runs on the same images: F1 of the first less the second's, and tests.

    p_value: of the same F1, from the resamples, None where they all agree; p_holm: with Holm's correction for
    all pairs of its family; mcnemar: of being right equally often, which is another question.
    """

    first: str
    second: str
    f1: Interval
    p_value: float | None
    p_holm: float | None
    mcnemar: CorrectedMcNemar


@dataclass(frozen=True)
class Association:
    """Whether of two runs the one with the lower log loss has the higher F1.

    Attributes:
        pairs: of runs of which neither figure is the same.
        agree: in how many of them it has.
        tau: Kendall's (1945) of -log loss and F1, tau-b; None where either never varies.
        p_value: of no association; None with it.
    """

    pairs: int
    agree: int
    tau: float | None
    p_value: float | None


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
        constant: what is reached by saying the same of every image.
        intervals: by run, the highest F1 first.
        f1_at_equal_shares: what F1 would be if half of the images were fakes, by run.
        confusion: by run, in the same order.
        neighbours: by F1, by their names with _vs_ between.
        contrasts: runs that differ in one thing alone, likewise.
        loss_and_f1: of all runs whose F1 is more than a constant answer's.
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
    constant: ConstantAnswer
    intervals: dict[str, Figures]
    f1_at_equal_shares: dict[str, Interval]
    confusion: dict[str, Confusion]
    neighbours: dict[str, Pair]
    contrasts: dict[str, Pair]
    loss_and_f1: Association
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


def contrasted(
    done: Sequence[str],
    runs: Runs,
    recipes: Mapping[str, Recipe],
    extents: Mapping[str, ProfileRun],
    depths: Sequence[str],
) -> list[tuple[str, str]]:
    """Return the pairs of runs that differ in one thing alone, so that its effect can be told.

    That is: the depth, by one step, the deeper first; the connections, all of them first; the initial
    weights, ImageNet's first; or the schedule of the learning rate. Both runs are trained for as many epochs
    with the same stem.

    Args:
        done: the runs that have results.
        runs: what they are.
        recipes: how they are trained.
        extents: how much of each the profile does.
        depths: networks that differ by their depth, the shallowest first.
    """

    def things(name: str) -> tuple[str, str, str, str]:
        run = runs.all[name]
        return run.model, run.connections, runs.weights(name), run.recipe

    def comes_first(a: str, b: str) -> bool:
        one, other = things(a), things(b)
        if extents[a] != extents[b] or sum(x != y for x, y in zip(one, other, strict=True)) != 1:
            return False
        if one[0] != other[0]:
            return (other[0], one[0]) in pairwise(depths)
        if one[1] != other[1]:
            return one[1] == "kept"
        if one[2] != other[2]:
            return one[2] == "imagenet"
        first, second = recipes[one[3]], recipes[other[3]]
        alike = replace(second, schedule=first.schedule, warm_up=first.warm_up) == first
        return alike and done.index(a) < done.index(b)

    return [(a, b) for a, b in permutations(done, 2) if comes_first(a, b)]


def association(loss: Sequence[float], f1: Sequence[float]) -> Association:
    """Return whether lower losses go with higher F1.

    Args:
        loss: of each run.
        f1: of the same runs.
    """
    from scipy.stats import kendalltau

    signs = [
        np.sign(loss[j] - loss[i]) * np.sign(f1[i] - f1[j]) for i, j in combinations(range(len(loss)), 2)
    ]
    agree, pairs = signs.count(1), signs.count(1) + signs.count(-1)
    if len(set(loss)) < 2 or len(set(f1)) < 2:
        return Association(pairs, agree, None, None)
    found = kendalltau([-each for each in loss], f1)
    return Association(pairs, agree, float(found.statistic), float(found.pvalue))


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
    contrasts: Sequence[tuple[str, str]],
) -> RunComparison:
    """Return intervals and confusion matrices of all runs, and tests between neighbours and of contrasts.

    A neighbour is the run with the next lower F1 (the weighted average among them). Holm's correction is over
    all neighbours, and apart from them over all contrasts.

    Args:
        test: predictions of the test set.
        val: those of the validation split.
        settings: how metrics and intervals are taken.
        test_set: its name, for the resamples' own random numbers.
        shares: the weights of the average that is among the runs; empty where there is none.
        left_out: why runs are not there, by run.
        contrasts: pairs of runs that are to be tested, too.
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
    constant = constant_answer(int(test.labels.sum()), len(test.labels))
    figures = {name: intervals(of_all, name, settings.confidence) for name in ranked}
    learnt = [runs[name] for name in val.p_fake if beside_constant(figures[name].f1, constant.f1) == "more"]
    return RunComparison(
        test_set=test_set,
        n=len(test.labels),
        n_fake=int(test.labels.sum()),
        threshold=settings.threshold,
        confidence=settings.confidence,
        resamples=settings.resamples,
        constant=rounded(constant),
        intervals=rounded(figures),
        f1_at_equal_shares=rounded(
            {name: f1(runs[name].counts, settings.confidence, reals_per_fake=1) for name in ranked}
        ),
        confusion={name: runs[name].counts for name in ranked},
        neighbours=rounded(_tested(of_all, list(pairwise(ranked)), settings.confidence)),
        contrasts=rounded(_tested(of_all, contrasts, settings.confidence)),
        loss_and_f1=rounded(
            association([float(run.losses.mean()) for run in learnt], [run.counts.f1 for run in learnt])
        ),
        best=best(val.labels, val.p_fake, settings.threshold),
        validation=scores(val, settings),
        ensemble_weights=shares,
        left_out=left_out,
    )


def _tested(of: Sample, pairs: Sequence[tuple[str, str]], confidence: float) -> dict[str, Pair]:
    """Return what tests say of pairs, with Holm's correction for all of them."""
    runs = of.detectors
    answers = [mcnemar(runs[a].right, runs[b].right) for a, b in pairs]
    f1_p = [resampled_p(runs[a].resampled["f1"] - runs[b].resampled["f1"]) for a, b in pairs]
    answers_holm, f1_holm = holm([answer.p_value for answer in answers]), holm(f1_p)
    return {
        f"{a}_vs_{b}": Pair(
            first=a,
            second=b,
            f1=differences(of, a, b, confidence).f1,
            p_value=f1_p[i],
            p_holm=f1_holm[i],
            mcnemar=CorrectedMcNemar(**vars(answers[i]), p_holm=answers_holm[i]),
        )
        for i, (a, b) in enumerate(pairs)
    }
