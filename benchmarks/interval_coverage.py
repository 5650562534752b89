"""In how many of 100 cases intervals hold the true figure, where that is known.

    python benchmarks/interval_coverage.py [--page]

Of shares exactly, over all numbers of successes that may be drawn, beside what resampling the images would
hold; of all else by simulation from a fixed seed. Writes docs/measurements/coverage.json and from it the
tables of docs/statistics.md; `--page` writes these alone. Takes a minute on one core.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from deepfake_ensemble.comparison import delong
from deepfake_ensemble.comparison.intervals import Interval, f1, independent, paired, wilson
from deepfake_ensemble.comparison.operating_points import predictive_values
from deepfake_ensemble.comparison.spread import crossed_effects
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json, write_json
from deepfake_ensemble.scoring.scores import Confusion
from deepfake_ensemble.workflow import generated

FILE = Path("docs/measurements/coverage.json")
PAGE = Path("docs/statistics.md")

SHARES = (0.5, 0.9, 0.99, 0.999)
IMAGES = (6, 100, 240, 1000)
CASES = 4000


def of_shares() -> list[dict[str, float]]:
    """Return the exact coverage of a share's interval, and that of the resampled one."""
    found = []
    for n in IMAGES:
        for p in SHARES:
            chances = stats.binom.pmf(np.arange(n + 1), n, p)
            ours = [wilson(k, n).ends for k in range(n + 1)]
            # What a bootstrap's percentiles come to with many resamples.
            theirs = [tuple(stats.binom.ppf((0.025, 0.975), n, k / n) / n) for k in range(n + 1)]
            found.append(
                {"n": n, "p": p, "wilson": _held(ours, p, chances), "bootstrap": _held(theirs, p, chances)}
            )
    return found


def _held(ends: list[tuple[float, float]], true: float, chances: np.ndarray) -> float:
    return float(sum(c for (low, high), c in zip(ends, chances, strict=True) if low <= true <= high))


def simulated() -> dict[str, float]:
    """Return the coverage of all other intervals, by what they are of."""
    return {what: _simulated(draw, true) for what, (draw, true) in _cases().items()}


def _simulated(draw: Callable[[np.random.Generator], Interval], true: float) -> float:
    rng = np.random.default_rng(0)
    ends = [draw(rng).ends for _ in range(CASES)]
    return float(np.mean([low <= true <= high for low, high in ends]))


def _cases() -> dict[str, tuple[Callable[[np.random.Generator], Interval], float]]:
    def area(auc: float, n: int) -> Callable[[np.random.Generator], Interval]:
        labels = np.repeat([1, 0], n // 2)
        distance = np.sqrt(2) * stats.norm.ppf(auc)
        return lambda rng: delong.interval(delong.placements(labels, rng.normal(size=n) + distance * labels))

    def same_images(a: float, b: float, n: int) -> Callable[[np.random.Generator], Interval]:
        return lambda rng: paired(*rng.multinomial(n, [a, b, 1 - a - b])[:2].tolist(), n)

    def other_images(p: float, n: int, q: float, m: int) -> Callable[[np.random.Generator], Interval]:
        return lambda rng: independent(wilson(rng.binomial(n, p), n), wilson(rng.binomial(m, q), m))

    def counts(t: float, f: float, n: int) -> Callable[[np.random.Generator], Confusion]:
        def drawn(rng: np.random.Generator) -> Confusion:
            tp, fp = int(rng.binomial(n, t)), int(rng.binomial(n, f))
            return Confusion(tp=tp, fp=fp, tn=n - fp, fn=n - tp)

        return drawn

    def score(of: Confusion) -> Interval:
        return f1(of)

    def predictive(of: Confusion) -> Interval:
        found = predictive_values(of, 0.1).positive
        return found or Interval(0, 0, 1)

    def seeds(of_seeds: float) -> Callable[[np.random.Generator], Interval]:
        def drawn(rng: np.random.Generator) -> Interval:
            own, shared, rest = (rng.normal(size=size) for size in ((3, 1), (1, 240), (3, 240)))
            return crossed_effects(of_seeds * own + 0.3 * shared + 0.3 * rest).mean

        return drawn

    one, other = counts(0.95, 0.02, 120), counts(0.9, 0.05, 120)
    return {
        **{f"AUC {auc}, {n} images": (area(auc, n), auc) for auc in (0.75, 0.9, 0.99) for n in (100, 240)},
        "accuracies 3.0 and 1.0 points apart on 240 images": (same_images(0.03, 0.01, 240), 0.02),
        "accuracies alike but for 2 % of 1,000 images": (same_images(0.01, 0.01, 1000), 0.0),
        "accuracies 10 points apart on 6 images": (same_images(0.2, 0.1, 6), 0.1),
        "a drop from 0.99 of 240 to 0.6 of 200 images": (other_images(0.99, 240, 0.6, 200), 0.39),
        "F1 0.964 of 120 fakes and 120 reals": (lambda rng: score(one(rng)), 1.9 / 1.97),
        "F1 0.923 of the same": (lambda rng: score(other(rng)), 1.8 / 1.95),
        "predictive value at 10 % fakes, of 240 images": (
            lambda rng: predictive(other(rng)),
            0.09 / (0.09 + 0.9 * 0.05),
        ),
        "gain over 3 seeds that hardly differ, 240 images": (seeds(0.01), 0.0),
        "gain over 3 seeds that differ much, 240 images": (seeds(0.2), 0.0),
    }


def parts(measured: Mapping[str, Any]) -> dict[str, str]:
    """Return the generated parts of docs/statistics.md."""
    by_place = {(each["n"], each["p"]): each for each in measured["shares"]}
    shares = generated.table(
        ["images", *(f"share {p}" for p in SHARES), *(f"{p}, resampled" for p in SHARES)],
        [
            [
                f"{n:,}",
                *(f"{100 * by_place[n, p]['wilson']:.1f}" for p in SHARES),
                *(f"{100 * by_place[n, p]['bootstrap']:.1f}" for p in SHARES),
            ]
            for n in IMAGES
        ],
    )
    rest = generated.table(
        ["interval of", "holds the true figure in"],
        [[what, f"{100 * held:.1f}"] for what, held in measured["simulated"].items()],
    )
    return {"shares": shares, "simulated": rest}


def main() -> None:
    """Compute, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--page", action="store_true", help="write the tables from what was computed before")
    if not parser.parse_args().page:
        write_json(FILE, {"shares": of_shares(), "cases": CASES, "simulated": simulated()})
    generated.refresh(PAGE, parts(read_json(FILE)))


if __name__ == "__main__":
    with exiting():
        main()
