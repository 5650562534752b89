"""What the networks do on a test set, from stored predictions alone."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from deepfake_ensemble.comparison.intervals import bootstrap, differences, intervals, stream
from deepfake_ensemble.comparison.paired import holm, mcnemar
from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method, combine, weights
from deepfake_ensemble.scoring.scores import confusion
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


def scores(of: Aligned, measuring: Measuring) -> dict[str, Any]:
    """Return every run's metrics on a split, ready for JSON."""
    return {
        name: rounded(metrics(of.labels, p, measuring.threshold, measuring.ece_bins))
        for name, p in of.p_fake.items()
    }


def compared(test: Aligned, measuring: Measuring, test_set: str) -> dict[str, Any]:
    """Return intervals and confusion matrices of all runs, and tests between neighbours, ready for JSON.

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
    pairs: dict[str, dict[str, Any]] = {
        f"{a}_vs_{b}": {
            "first": a,
            "second": b,
            "f1": differences(sampled, a, sampled, b, measuring.confidence)["f1"],
            "mcnemar": asdict(mcnemar(right[a], right[b])),
        }
        for a, b in pairwise(ranked)
    }
    for pair, p in zip(
        pairs.values(), holm([it["mcnemar"]["p_value"] for it in pairs.values()]), strict=True
    ):
        pair["mcnemar"]["p_holm"] = p
    return rounded(
        {
            "test_set": test_set,
            "n": len(test.labels),
            "n_fake": int(test.labels.sum()),
            "threshold": measuring.threshold,
            "confidence": measuring.confidence,
            "resamples": measuring.resamples,
            "intervals": {name: intervals(sampled, name, measuring.confidence) for name in ranked},
            "confusion": {
                name: asdict(confusion(test.labels, test.p_fake[name], measuring.threshold))
                for name in ranked
            },
            "neighbours": pairs,
        }
    )
