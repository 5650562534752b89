"""Time and memory of the comparison: 4 models and their ensemble x 20,000 images x 2,000 resamples.

    python benchmarks/compare.py [--images 20000] [--resamples 2000]

Prints the bootstrap of the five detectors by itself, then everything that one data set's comparison holds
(eighteen detectors, with the weightings and subsets), then the drop between two data sets.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from deepfake_ensemble.comparison.comparison import compare, cross_data_set
from deepfake_ensemble.comparison.intervals import bootstrap
from deepfake_ensemble.evaluation.predictions import Predictions, aligned
from deepfake_ensemble.evaluation.weighting import weights, with_ensemble

SKILLS = {"cnn": 0.7, "resnet50": 1.0, "xception": 1.4, "efficientnet_b4": 1.2}


def members(n: int, seed: int) -> dict[str, Predictions]:
    """Make up models whose errors are correlated, as those of real ones are."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shared = rng.normal(size=n)
    paths = tuple(f"test/{i:05}.jpg" for i in range(n))
    scores = {name: s * (2 * labels - 1) + shared + rng.normal(size=n) for name, s in SKILLS.items()}
    return {
        name: Predictions(paths, labels, (1 / (1 + np.exp(-2 * score))).astype(np.float32).astype(np.float64))
        for name, score in scores.items()
    }


def measured(what: str, run: Callable[[], Any]) -> None:
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(f"{what:<60} {seconds:6.1f} s   peak {peak:5.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--resamples", type=int, default=2_000)
    args = parser.parse_args()
    val, test, other = (members(args.images, seed) for seed in (1, 2, 3))
    on_val, on_test = aligned(val), aligned(test)
    shares = weights("accuracy", on_val.labels, on_val.p_fake)
    options: dict[str, Any] = {"seed": 42, "resamples": args.resamples}

    print(f"{args.images:,} images, {args.resamples:,} resamples")
    detectors = with_ensemble(shares, on_test.p_fake)
    measured("bootstrap of 5 detectors, 7 metrics", lambda: bootstrap(on_test.labels, detectors, **options))
    measured(
        "compare: everything about one data set",
        lambda: compare(test, val, shares, data_set="internal", **options),
    )
    subjects = [str(i // 2 % 10) for i in range(args.images)]
    measured(
        "cross_data_set: the drop, and 10 subjects",
        lambda: cross_data_set(
            test, other, shares, names=("internal", "cifake"), subjects=subjects, **options
        ),
    )


if __name__ == "__main__":
    main()
