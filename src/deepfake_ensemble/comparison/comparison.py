"""The detectors side by side: everything the report says of them, as the JSON files hold it.

What is not defined is None, with a reason beside it or in the docstring of its measure; NaN never occurs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import get_args

import numpy as np

from deepfake_ensemble.comparison.calibration import (
    Bin,
    BrierDecomposition,
    brier_decomposition,
    fit_temperature,
    reliability_curve,
    with_temperature,
)
from deepfake_ensemble.comparison.complementarity import Pair, pair, subsets, wrong_counts
from deepfake_ensemble.comparison.drop import Drop, Subject, by_subject, drops
from deepfake_ensemble.comparison.intervals import (
    CONFIDENCE,
    Bootstrap,
    ByMetric,
    Interval,
    bootstrap,
    differences,
    intervals,
    stream,
    wilson,
)
from deepfake_ensemble.comparison.operating_points import (
    OperatingPoint,
    operating_point,
    threshold_for_fpr,
    youden,
)
from deepfake_ensemble.comparison.paired import (
    CochransQ,
    CorrectedAucTest,
    CorrectedMcNemar,
    OddsRatio,
    auc_test,
    cochrans_q,
    delong,
    holm,
    mcnemar,
    odds_ratio,
)
from deepfake_ensemble.evaluation.metrics import ECE_BINS, metrics
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method, combine, weights, with_ensemble
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.scoring.scores import THRESHOLD, require_both_classes

# A false-positive rate can be set on validation from 1 / rate reals up: 100 and 1,000.
FALSE_POSITIVE_RATES = {"fpr_1_percent": Fraction(1, 100), "fpr_1_permille": Fraction(1, 1000)}

_LabelsAndP = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class NoAucTest:
    """DeLong's test where it has nothing to say, with the reason."""

    difference: None
    z: None
    p_value: None
    p_holm: None
    reason: str


@dataclass(frozen=True)
class PairTests:
    """Two detectors on the same images: the first less the second, and tests that they are alike."""

    difference: ByMetric[Interval]
    mcnemar: CorrectedMcNemar
    odds_ratio: OddsRatio
    delong: CorrectedAucTest | NoAucTest


@dataclass(frozen=True)
class Subset:
    """The ensemble of some members, weighted by their shares of validation accuracy among themselves."""

    weights: dict[str, float]
    metrics: ByMetric[Interval]


@dataclass(frozen=True)
class NoSubset:
    """Members whose accuracies give no weights, with the reason."""

    weights: None
    metrics: None
    reason: str


@dataclass(frozen=True)
class Complementarity:
    """What the members get wrong together, and what each is worth to the others.

    Attributes:
        pairs: how alike two members are, by their names with _vs_ between.
        images_by_wrong_models: of "all", "real" and "fake" images, how many 0, 1, ... models get wrong.
        oracle_accuracy: of one that picked a member that is right wherever there is one.
        member_adds: the ensemble by accuracy shares less the same without this member; None where accuracies
            give no weights.
        subsets: by the members' names with + between.
    """

    pairs: dict[str, Pair]
    images_by_wrong_models: dict[str, dict[str, int]]
    oracle_accuracy: Interval
    member_adds: dict[str, ByMetric[Interval] | None]
    subsets: dict[str, Subset | NoSubset]


@dataclass(frozen=True)
class Weighting:
    """A weighting's metrics, and what it changes against weighting all members alike."""

    weights: dict[str, float]
    metrics: ByMetric[Interval]
    less_uniform: ByMetric[Interval]
    decisions_unlike_uniform: int
    largest_change_of_p_fake: float


@dataclass(frozen=True)
class NoWeighting:
    """A weighting that gives no weights here, with the reason."""

    weights: None
    reason: str


@dataclass(frozen=True)
class Scaled:
    """What temperature scaling makes of the probabilities."""

    ece: float
    log_loss: float
    brier: float


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities can be taken at their word; temperature: fitted on validation."""

    ece: float
    log_loss: float
    brier: BrierDecomposition
    temperature: float
    scaled: Scaled
    reliability: list[Bin]


@dataclass(frozen=True)
class Unscaled:
    """The same of a detector for which no temperature is best, with the reason."""

    ece: float
    log_loss: float
    brier: BrierDecomposition
    temperature: None
    scaled: None
    reason: str
    reliability: list[Bin]


@dataclass(frozen=True)
class NoThreshold:
    """An operating point for which validation gives no threshold, with the reason."""

    threshold: None
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The detectors side by side on one data set.

    Attributes:
        data_set: its name.
        n: of its images.
        n_fake: fake ones among them.
        n_real: real ones.
        threshold: an image is called fake from this P(fake) up.
        confidence: of all intervals.
        resamples: behind each of them.
        notes: what a reader should know of the figures.
        detectors: the members and, last, their ensemble.
        pairs: by their names with _vs_ between.
        cochrans_q: of the members; None where there is one alone.
        complementarity: what they get wrong together.
        weightings: by method.
        calibration: by detector.
        operating_points: by detector, and by what the threshold was chosen for.
    """

    data_set: str
    n: int
    n_fake: int
    n_real: int
    threshold: float
    confidence: float
    resamples: int
    notes: list[str]
    detectors: dict[str, ByMetric[Interval]]
    pairs: dict[str, PairTests]
    cochrans_q: CochransQ | None
    complementarity: Complementarity
    weightings: dict[str, Weighting | NoWeighting]
    calibration: dict[str, Calibration | Unscaled]
    operating_points: dict[str, dict[str, OperatingPoint | NoThreshold]]


@dataclass(frozen=True)
class CrossDataSet:
    """What detectors lose from the internal test to another data set, and what they do on its subjects.

    Attributes:
        internal: the one's name.
        outside: the other's.
        n_internal: images of the one.
        n_outside: images of the other.
        threshold: an image is called fake from this P(fake) up.
        confidence: of all intervals.
        resamples: behind each of them.
        drops: by detector.
        subjects: of the other data set, by what its images show.
        without_subject: images of the other whose names do not say what they show.
    """

    internal: str
    outside: str
    n_internal: int
    n_outside: int
    threshold: float
    confidence: float
    resamples: int
    drops: dict[str, ByMetric[Drop]]
    subjects: dict[str, Subject]
    without_subject: int


def compare(
    on_test: Aligned,
    on_val: Aligned,
    ensemble_weights: Mapping[str, float],
    *,
    data_set: str,
    seed: int,
    resamples: int,
    confidence: float = CONFIDENCE,
    threshold: float = THRESHOLD,
    ece_bins: int = ECE_BINS,
) -> Comparison:
    """Compare the models and their ensemble on one data set; what is fitted, is fitted on validation.

    `data_set` names the resamples' stream of random numbers, so that two data sets never share one. Raises
    UserError if either split lacks a class.
    """
    for split in (on_test, on_val):
        require_both_classes(split.labels)
    detectors = with_ensemble(ensemble_weights, on_test.p_fake)
    val_detectors = with_ensemble(ensemble_weights, on_val.p_fake)
    shares = _subset_shares(on_val, threshold)
    weightings = _weightings(on_val, shares)

    sampled = bootstrap(
        on_test.labels,
        {
            **detectors,
            **{f"weighting {method}": combine(w, on_test.p_fake) for method, w in weightings.items() if w},
            **{f"subset {name}": _among(w, on_test.p_fake) for name, w in shares.items() if w},
        },
        resamples=resamples,
        seed=stream(seed, data_set),
        threshold=threshold,
    )
    fakes = int(on_test.labels.sum())
    figures = {name: intervals(sampled, name, confidence) for name in detectors}
    return rounded(
        Comparison(
            data_set=data_set,
            n=len(on_test.labels),
            n_fake=fakes,
            n_real=len(on_test.labels) - fakes,
            threshold=threshold,
            confidence=confidence,
            resamples=resamples,
            notes=_notes(figures),
            detectors=figures,
            pairs=_pairs(on_test.labels, detectors, sampled, confidence, threshold),
            cochrans_q=_cochrans_q(on_test, threshold),
            complementarity=_complementarity(on_test, shares, sampled, confidence, threshold),
            weightings=_effect_of_weighting(on_test, weightings, sampled, confidence, threshold),
            calibration={
                name: _calibration(
                    (on_val.labels, val_detectors[name]), (on_test.labels, p), ece_bins, confidence
                )
                for name, p in detectors.items()
            },
            operating_points={
                name: _operating_points(
                    (on_val.labels, val_detectors[name]), (on_test.labels, p), threshold, confidence
                )
                for name, p in detectors.items()
            },
        )
    )


def cross_data_set(
    on_internal: Aligned,
    on_outside: Aligned,
    ensemble_weights: Mapping[str, float],
    *,
    names: tuple[str, str],
    subjects: Sequence[str | None],
    seed: int,
    resamples: int,
    confidence: float = CONFIDENCE,
    threshold: float = THRESHOLD,
) -> CrossDataSet:
    """Return what detectors lose from the internal test to another data set, and what they do on each
    subject of the other.

    `names` are the data sets' names as given to `compare`, whose intervals these repeat; `subjects` says what
    each image of `outside` shows, None where its name does not say.
    """
    if names[0] == names[1]:
        raise ValueError("two data sets of one name would share their resamples")
    inside, out = (
        bootstrap(
            split.labels,
            with_ensemble(ensemble_weights, split.p_fake),
            resamples=resamples,
            seed=stream(seed, name),
            threshold=threshold,
        )
        for name, split in zip(names, (on_internal, on_outside), strict=True)
    )
    known = np.array([subject is not None for subject in subjects], dtype=bool)
    return rounded(
        CrossDataSet(
            internal=names[0],
            outside=names[1],
            n_internal=len(on_internal.labels),
            n_outside=len(on_outside.labels),
            threshold=threshold,
            confidence=confidence,
            resamples=resamples,
            drops=drops(inside, out, confidence),
            subjects=by_subject(
                [subject for subject in subjects if subject is not None],
                on_outside.labels[known],
                {name: p[known] for name, p in with_ensemble(ensemble_weights, on_outside.p_fake).items()},
                resamples=resamples,
                seed=stream(seed, names[1]),
                threshold=threshold,
                confidence=confidence,
            ),
            without_subject=int((~known).sum()),
        )
    )


def _notes(figures: Mapping[str, ByMetric[Interval]]) -> list[str]:
    notes = []
    for name, of in figures.items():
        fixed = [metric for metric, figure in vars(of).items() if figure.ci_low == figure.ci_high]
        if fixed:
            notes.append(
                f"{name}: {', '.join(fixed)} came out the same in every resample, so the interval has no "
                "width; that speaks of these images, not of certainty about others"
            )
    return notes


def _pairs(
    labels: np.ndarray,
    detectors: Mapping[str, np.ndarray],
    sampled: Bootstrap,
    confidence: float,
    threshold: float,
) -> dict[str, PairTests]:
    """Test the ensemble against each member and each pair of members; Holm's correction is over all these
    pairs, for either test by itself."""
    names = [ENSEMBLE, *(name for name in detectors if name != ENSEMBLE)]
    right = {name: (p >= threshold) == labels for name, p in detectors.items()}
    areas = delong(labels, [detectors[name] for name in names])
    pairs = list(combinations(names, 2))
    answers = {(a, b): mcnemar(right[a], right[b]) for a, b in pairs}
    auc_tests = {
        (a, b): test
        for (i, a), (j, b) in combinations(enumerate(names), 2)
        if areas and (test := auc_test(areas, i, j, confidence))
    }
    answers_holm, auc_holm = (
        dict(zip(tests, holm([test.p_value for test in tests.values()]), strict=True))
        for tests in (answers, auc_tests)
    )
    reason = (
        "neither AUC varies, so there is nothing to compare the difference with"
        if areas
        else "needs two images of each class"
    )
    return {
        f"{a}_vs_{b}": PairTests(
            difference=differences(sampled, a, sampled, b, confidence),
            mcnemar=CorrectedMcNemar(**vars(answers[a, b]), p_holm=answers_holm[a, b]),
            odds_ratio=odds_ratio(right[a], right[b], confidence),
            delong=CorrectedAucTest(**vars(auc_tests[a, b]), p_holm=auc_holm[a, b])
            if (a, b) in auc_tests
            else NoAucTest(None, None, None, None, reason),
        )
        for a, b in pairs
    }


def _cochrans_q(test: Aligned, threshold: float) -> CochransQ | None:
    if len(test.p_fake) < 2:
        return None
    return cochrans_q([(p >= threshold) == test.labels for p in test.p_fake.values()])


def _subset_shares(val: Aligned, threshold: float) -> dict[str, dict[str, float] | None]:
    """Return each subset's shares of validation accuracy among themselves (eq. 2.24), by the names joined
    with +; None where all its accuracies are zero, which gives no weights."""
    found: dict[str, dict[str, float] | None] = {}
    for names in subsets(list(val.p_fake)):
        try:
            found["+".join(names)] = weights(
                "accuracy", val.labels, {name: val.p_fake[name] for name in names}, threshold
            )
        except UserError:
            found["+".join(names)] = None
    return found


def _among(shares: Mapping[str, float], p_fake: Mapping[str, np.ndarray]) -> np.ndarray:
    return combine(shares, {name: p_fake[name] for name in shares})


def _weightings(
    val: Aligned, shares: Mapping[str, dict[str, float] | None]
) -> dict[str, dict[str, float] | None]:
    """Return every method's weights; None where all accuracies are zero."""
    return {
        method: shares["+".join(val.p_fake)]
        if method == "accuracy"
        else weights(method, val.labels, val.p_fake)
        for method in get_args(Method)
    }


def _complementarity(
    test: Aligned,
    shares: Mapping[str, dict[str, float] | None],
    sampled: Bootstrap,
    confidence: float,
    threshold: float,
) -> Complementarity:
    labels, members = test.labels, list(test.p_fake)
    called = {name: (p >= threshold).astype(np.int64) for name, p in test.p_fake.items()}
    right = [called[name] == labels for name in members]
    someone_right = int(np.count_nonzero(np.any(right, axis=0)))

    everyone = "+".join(members)
    adds: dict[str, ByMetric[Interval] | None] = {}
    for name in members if len(members) > 1 else []:
        rest = "+".join(other for other in members if other != name)
        known = shares[everyone] and shares[rest]
        adds[name] = (
            differences(sampled, f"subset {everyone}", sampled, f"subset {rest}", confidence)
            if known
            else None
        )
    return Complementarity(
        pairs={f"{a}_vs_{b}": pair(labels, called[a], called[b]) for a, b in combinations(members, 2)},
        images_by_wrong_models={
            group: {str(wrong): count for wrong, count in enumerate(wrong_counts([r[images] for r in right]))}
            for group, images in (("all", labels >= 0), ("real", labels == 0), ("fake", labels == 1))
        },
        oracle_accuracy=wilson(someone_right, len(labels), confidence),
        member_adds=adds,
        subsets={
            name: Subset(of, intervals(sampled, f"subset {name}", confidence))
            if of
            else NoSubset(None, None, "no member classifies a validation image correctly")
            for name, of in shares.items()
        },
    )


def _effect_of_weighting(
    test: Aligned,
    weightings: Mapping[str, dict[str, float] | None],
    sampled: Bootstrap,
    confidence: float,
    threshold: float,
) -> dict[str, Weighting | NoWeighting]:
    uniform = combine(weights("uniform", test.labels, test.p_fake), test.p_fake)
    found: dict[str, Weighting | NoWeighting] = {}
    for method, of in weightings.items():
        if of is None:
            found[method] = NoWeighting(None, "no model classifies a validation image correctly")
            continue
        p = combine(of, test.p_fake)
        name = f"weighting {method}"
        found[method] = Weighting(
            weights=of,
            metrics=intervals(sampled, name, confidence),
            less_uniform=differences(sampled, name, sampled, "weighting uniform", confidence),
            decisions_unlike_uniform=int(np.count_nonzero((p >= threshold) != (uniform >= threshold))),
            largest_change_of_p_fake=float(np.abs(p - uniform).max()),
        )
    return found


def _calibration(
    val: _LabelsAndP,
    test: _LabelsAndP,
    bins: int,
    confidence: float,
) -> Calibration | Unscaled:
    labels, p = test
    temperature = fit_temperature(*val)
    before = metrics(labels, p, ece_bins=bins)
    brier = brier_decomposition(labels, p, bins)
    reliability = reliability_curve(labels, p, bins, confidence)
    if temperature is None:
        reason = "no temperature is best: on validation the detector is no better than chance, or never wrong"
        return Unscaled(before.ece, before.log_loss, brier, None, None, reason, reliability)
    after = metrics(labels, with_temperature(p, temperature), ece_bins=bins)
    scaled = Scaled(after.ece, after.log_loss, after.brier)
    return Calibration(before.ece, before.log_loss, brier, temperature, scaled, reliability)


def _operating_points(
    val: _LabelsAndP,
    test: _LabelsAndP,
    threshold: float,
    confidence: float,
) -> dict[str, OperatingPoint | NoThreshold]:
    thresholds: dict[str, float | None] = {
        "default": threshold,
        "youden": youden(*val),
        **{name: threshold_for_fpr(*val, rate) for name, rate in FALSE_POSITIVE_RATES.items()},
    }
    reals = int((val[0] == 0).sum())
    found: dict[str, OperatingPoint | NoThreshold] = {}
    for name, chosen in thresholds.items():
        if chosen is not None:
            found[name] = operating_point(*test, chosen, confidence)
        elif reals * FALSE_POSITIVE_RATES[name] < 1:
            needed = int(1 / FALSE_POSITIVE_RATES[name])
            found[name] = NoThreshold(None, f"needs {needed:,} real validation images, has {reals:,}")
        else:
            found[name] = NoThreshold(None, "too many real validation images have the probability 1")
    return found
