"""The detectors side by side: everything the report says of them, as the JSON files hold it.

What is not defined is None, with a reason beside it or in the docstring of its measure; NaN never occurs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from deepfake_ensemble.comparison import delong
from deepfake_ensemble.comparison.calibration import (
    Bin,
    BrierDecomposition,
    Chance,
    brier_decomposition,
    certainty,
    ece_if_calibrated,
    fit_temperature,
    in_the_large,
    reliability_curve,
    too_sure,
    with_temperature,
)
from deepfake_ensemble.comparison.complementarity import (
    Pair,
    oracle_of_coins,
    pair,
    subsets,
    wrong_counts,
)
from deepfake_ensemble.comparison.drop import Drop, Subject, by_subject, drops
from deepfake_ensemble.comparison.guessing import (
    ConstantAnswer,
    Guessing,
    against_guessing,
    constant_answer,
)
from deepfake_ensemble.comparison.intervals import ByMetric, Figures, Interval, wilson
from deepfake_ensemble.comparison.operating_points import (
    Gain,
    OperatingPoint,
    Selective,
    expected_false_positive_rate,
    gains,
    operating_point,
    selective,
    threshold_for_fpr,
    youden,
)
from deepfake_ensemble.comparison.paired import (
    TESTED,
    CochransQ,
    CorrectedAucTest,
    CorrectedMcNemar,
    CorrectedMeanTest,
    Level,
    OddsRatio,
    Tested,
    cochrans_q,
    contrast,
    holm,
    mcnemar,
    mean_test,
    odds_ratio,
)
from deepfake_ensemble.comparison.sample import Sample, differences, intervals, sample, stream
from deepfake_ensemble.comparison.verdicts import Calibrated, Finding, Scaling, calibrated, finding, scaling
from deepfake_ensemble.evaluation.metrics import Metrics, log_losses, metrics
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method, combine, weights, with_ensemble
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.scoring.scores import require_both_classes

# A false-positive rate can be set on validation from 1 / rate reals up: 100 and 1,000.
FALSE_POSITIVE_RATES = {"fpr_1_percent": Fraction(1, 100), "fpr_1_permille": Fraction(1, 1000)}

_LabelsAndP = tuple[np.ndarray, np.ndarray]


# Pairs are tested in two families: the study's question, and all else.
Family = Literal["ensemble against members", "members among themselves"]


@dataclass(frozen=True)
class Settings:
    """How the detectors are measured and compared: two sections of params.yaml."""

    measuring: EvaluationParams
    comparing: ComparisonParams

    @property
    def confidence(self) -> float:
        return self.comparing.confidence

    @property
    def threshold(self) -> float:
        return self.measuring.threshold

    @property
    def level(self) -> Level:
        return Level(self.confidence, self.comparing.power, vars(self.comparing.margins))

    def sample(self, of: Aligned, p_fake: Mapping[str, np.ndarray], name: str) -> Sample:
        """Measure detectors on a data set, whose name gives the resamples their own random numbers.

        Args:
            of: the images, their labels in it.
            p_fake: (n,) by detector.
            name: of the data set; gives the resamples their own random numbers.
        """
        return sample(
            of.labels,
            p_fake,
            resamples=self.comparing.resamples,
            seed=stream(self.comparing.seed, name),
            threshold=self.threshold,
            smallest=self.measuring.smallest_probability,
        )

    def metrics(self, labels: np.ndarray, p_fake: np.ndarray) -> Metrics:
        of = self.measuring
        return metrics(labels, p_fake, of.threshold, of.ece_bins, of.smallest_probability)


@dataclass(frozen=True)
class Member:
    """What a member counts in the ensemble, and whether it tells the classes apart on validation."""

    weight: float
    validation: Guessing


@dataclass(frozen=True)
class PairTests:
    """Two detectors on the same images: the first less the second, and tests that they are alike.

    family: of the tests that Holm's correction is for.
    """

    family: Family
    difference: Figures
    mcnemar: CorrectedMcNemar
    odds_ratio: OddsRatio
    delong: CorrectedAucTest
    log_loss: CorrectedMeanTest


@dataclass(frozen=True)
class Subset:
    """The ensemble of some members, weighted by their shares of validation accuracy among themselves."""

    weights: dict[str, float]
    metrics: Figures


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
        oracle_of_coins: of one over as many coins.
        member_adds: the ensemble by accuracy shares less the same without this member; None where accuracies
            give no weights.
        member_tests: what follows of each member that adds anything, by metric; Holm's correction is for all
            members.
        subsets: by the members' names with + between.
    """

    pairs: dict[str, Pair]
    images_by_wrong_models: dict[str, dict[str, int]]
    oracle_accuracy: Interval
    oracle_of_coins: float
    member_adds: dict[str, Figures | None]
    member_tests: dict[str, dict[Tested, Finding]]
    subsets: dict[str, Subset | NoSubset]


@dataclass(frozen=True)
class Weighting:
    """A weighting's metrics, and what it changes against equal weights: None for these themselves."""

    weights: dict[str, float]
    metrics: Figures
    less_uniform: Figures | None
    decisions_unlike_uniform: int
    largest_change_of_p_fake: float


@dataclass(frozen=True)
class NoWeighting:
    """A weighting that gives no weights here, with the reason."""

    weights: None
    reason: str


@dataclass(frozen=True)
class Scaled:
    """What temperature scaling makes of the probabilities; log_loss_gain: how much log loss it saves,
    and what follows."""

    ece: float
    log_loss: float
    brier: float
    log_loss_gain: Interval
    p_value: float | None
    verdict: Scaling


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities can be taken at their word.

    ece_if_calibrated: what the calibration error would be if they could; in_the_large: the mean P(fake) less
    the share of fakes; certainty: the mean probability of the likelier class; too_sure: that less the share
    of right calls; temperature: fitted on
    validation, None, with the reason, where none is best.
    """

    verdict: Calibrated
    ece: float
    ece_if_calibrated: Chance
    in_the_large: Interval
    certainty: float
    too_sure: Interval
    log_loss: float
    brier: BrierDecomposition
    temperature: float | None
    scaled: Scaled | None
    reason: str | None
    reliability: list[Bin]


@dataclass(frozen=True)
class BestWeights:
    """Weights fitted on one half of these images, by log loss, and used on the other.

    halves: the weights found on each half, which is drawn at random; metrics: of all images, each weighted by
    the half that it is not in; less_uniform, less_shares: by metric, against equal weights and against the
    study's, None where accuracies give none.
    """

    halves: list[dict[str, float]]
    metrics: Figures
    less_uniform: dict[Tested, Finding]
    less_shares: dict[Tested, Finding] | None


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
        power: with which a difference is to be found where there is one.
        resamples: behind what has no formula.
        constant: what is reached by saying the same of every image.
        unknown: by metric, the detectors for which these images cannot tell how certain it is.
        members: by name.
        guessing_weight: of the members that may be guessing on validation, or do worse, together.
        members_certainty: the members' mean certainty, weighted.
        detectors: the members and, last, their ensemble.
        guessing: whether each detector tells the classes apart here.
        question: by metric, the ensemble against the member that is the best on validation by that metric.
        best_here: by metric, the member that is the best on these images.
        shares: the study's weights against equal ones; None where accuracies give none.
        best_weights: None where a class has a single image.
        pairs: by their names with _vs_ between.
        cochrans_q: of the members; None where there is one alone.
        complementarity: what they get wrong together.
        weightings: by method.
        calibration: by detector.
        operating_points: by detector, and by what the threshold was chosen for.
        selective: by detector, what it does on the images that it is surest of.
        gains: the ensemble's over the most accurate member on validation, by what the thresholds of both were
            chosen for; without those that either lacks.
    """

    data_set: str
    n: int
    n_fake: int
    n_real: int
    threshold: float
    confidence: float
    power: float
    resamples: int
    constant: ConstantAnswer
    unknown: dict[str, list[str]]
    members: dict[str, Member]
    guessing_weight: float
    members_certainty: float
    detectors: dict[str, Figures]
    guessing: dict[str, Guessing]
    question: dict[Tested, Finding]
    best_here: dict[Tested, str]
    shares: dict[Tested, Finding] | None
    best_weights: BestWeights | None
    pairs: dict[str, PairTests]
    cochrans_q: CochransQ | None
    complementarity: Complementarity
    weightings: dict[str, Weighting | NoWeighting]
    calibration: dict[str, Calibration]
    operating_points: dict[str, dict[str, OperatingPoint | NoThreshold]]
    selective: dict[str, list[Selective]]
    gains: dict[str, Gain] = field(default_factory=dict)


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
    settings: Settings,
    *,
    data_set: str,
) -> Comparison:
    """Compare the models and their ensemble on one data set; what is fitted or chosen, is so on validation.

    Args:
        on_test: the models' predictions of the data set.
        on_val: those of the validation split.
        ensemble_weights: by model.
        settings: of params.yaml.
        data_set: names the resamples' stream of random numbers, so that two data sets never share one.

    Raises:
        UserError: if either split lacks a class.
    """
    for split in (on_test, on_val):
        require_both_classes(split.labels)
    labels, confidence, threshold = on_test.labels, settings.confidence, settings.threshold
    detectors = with_ensemble(ensemble_weights, on_test.p_fake)
    val_detectors = with_ensemble(ensemble_weights, on_val.p_fake)
    shares = _subset_shares(on_val, threshold)
    weightings = _weightings(on_val, shares, settings)
    halves, best = _best_weights(on_test, settings, data_set)
    combined = {_BEST: best} if halves else {}

    measured = settings.sample(
        on_test,
        {
            **detectors,
            **{_weighting(method): combine(w, on_test.p_fake) for method, w in weightings.items() if w},
            **{f"subset {name}": _among(w, on_test.p_fake) for name, w in shares.items() if w},
            **combined,
        },
        data_set,
    )
    fakes = int(labels.sum())
    figures = {name: intervals(measured, name, confidence) for name in detectors}
    pairs = _pairs(measured, list(on_test.p_fake), confidence)
    members = {
        name: Member(ensemble_weights[name], against_guessing(on_val.labels, p, threshold, confidence))
        for name, p in on_val.p_fake.items()
    }
    calibrations = {
        name: _calibration(
            (on_val.labels, val_detectors[name]),
            (labels, p),
            settings,
            seed=stream(settings.comparing.seed, f"{data_set} {name} calibrated"),
        )
        for name, p in detectors.items()
    }
    on_validation = {name: settings.metrics(on_val.labels, p) for name, p in on_val.p_fake.items()}
    points = {
        name: _operating_points((on_val.labels, val_detectors[name]), (labels, p), settings)
        for name, p in detectors.items()
    }
    on_these = {name: settings.metrics(labels, p) for name, p in on_test.p_fake.items()}
    return rounded(
        Comparison(
            data_set=data_set,
            n=len(labels),
            n_fake=fakes,
            n_real=len(labels) - fakes,
            threshold=threshold,
            confidence=confidence,
            power=settings.comparing.power,
            resamples=settings.comparing.resamples,
            constant=constant_answer(fakes, len(labels)),
            unknown=_unknown(figures),
            members=members,
            guessing_weight=sum(of.weight for of in members.values() if of.validation.verdict != "better"),
            members_certainty=sum(of.weight * calibrations[name].certainty for name, of in members.items()),
            detectors=figures,
            guessing={
                name: against_guessing(labels, p, threshold, confidence) for name, p in detectors.items()
            },
            question={
                metric: _question(measured, best_by(metric, on_validation), metric, pairs, settings.level)
                for metric in TESTED
            },
            best_here={metric: best_by(metric, on_these) for metric in TESTED},
            shares=_against(measured, _weighting("accuracy"), _weighting("uniform"), settings.level),
            best_weights=_found_best(halves, measured, settings),
            pairs=pairs,
            cochrans_q=_cochrans_q(on_test, threshold),
            complementarity=_complementarity(on_test, shares, measured, settings),
            weightings=_effect_of_weighting(on_test, weightings, measured, settings),
            calibration=calibrations,
            operating_points=points,
            selective={name: selective(labels, p, threshold, confidence) for name, p in detectors.items()},
            gains=_gains(labels, detectors, points, best_by("accuracy", on_validation), confidence),
        )
    )


def cross_data_set(
    on_internal: Aligned,
    on_outside: Aligned,
    ensemble_weights: Mapping[str, float],
    settings: Settings,
    *,
    names: tuple[str, str],
    subjects: Sequence[str | None],
) -> CrossDataSet:
    """Return what detectors lose from the internal test to another data set, and what they do on each
    subject of the other.

    Args:
        on_internal: predictions of the internal test.
        on_outside: those of the other data set.
        ensemble_weights: by model.
        settings: of params.yaml.
        names: the data sets' names as given to `compare`, whose intervals these repeat.
        subjects: what each of the other data set's images shows; None where its name does not say.
    """
    if names[0] == names[1]:
        raise ValueError("two data sets of one name would share their resamples")
    inside, out = (
        settings.sample(split, with_ensemble(ensemble_weights, split.p_fake), name)
        for name, split in zip(names, (on_internal, on_outside), strict=True)
    )
    known = np.array([subject is not None for subject in subjects], dtype=bool)
    comparing = settings.comparing
    return rounded(
        CrossDataSet(
            internal=names[0],
            outside=names[1],
            n_internal=len(on_internal.labels),
            n_outside=len(on_outside.labels),
            threshold=settings.threshold,
            confidence=settings.confidence,
            resamples=comparing.resamples,
            drops=drops(inside, out, settings.confidence),
            subjects=by_subject(
                [subject for subject in subjects if subject is not None],
                on_outside.labels[known],
                {name: p[known] for name, p in with_ensemble(ensemble_weights, on_outside.p_fake).items()},
                resamples=comparing.resamples,
                seed=stream(comparing.seed, names[1]),
                threshold=settings.threshold,
                confidence=settings.confidence,
                smallest=settings.measuring.smallest_probability,
            ),
            without_subject=int((~known).sum()),
        )
    )


_BEST = "best weights"


def _weighting(method: str) -> str:
    return f"weighting {method}"


def best_by(metric: Tested, of: Mapping[str, Metrics]) -> str:
    """Return the detector that is the best by a metric; of equal ones that with the least log loss, then the
    first.

    Args:
        metric: accuracy and AUC are best high, log loss low.
        of: metrics by detector.
    """
    sign = -1 if metric == "log_loss" else 1
    return max(of, key=lambda name: (sign * getattr(of[name], metric), -of[name].log_loss))


def _unknown(figures: Mapping[str, Figures]) -> dict[str, list[str]]:
    """Return by metric the detectors whose interval is not known: every resample gives the same."""
    found: dict[str, list[str]] = {}
    for name, of in figures.items():
        for metric, figure in vars(of).items():
            if figure and figure.ci_low is None:
                found.setdefault(metric, []).append(name)
    return found


def _pairs(of: Sample, members: Sequence[str], confidence: float) -> dict[str, PairTests]:
    """Test the ensemble against each member, and all pairs of members: two families, for each of which Holm's
    correction is by itself, and for each of the tests."""
    families: dict[Family, list[tuple[str, str]]] = {
        "ensemble against members": [(ENSEMBLE, name) for name in members],
        "members among themselves": list(combinations(members, 2)),
    }
    found = {}
    for family, pairs in families.items():
        both = [(of.detectors[a], of.detectors[b]) for a, b in pairs]
        answers = [mcnemar(a.right, b.right) for a, b in both]
        ranks = [delong.test(a.placements, b.placements, confidence) for a, b in both]
        losses = [mean_test(a.losses - b.losses, confidence) for a, b in both]
        corrected = [holm([test.p_value for test in tests]) for tests in (answers, ranks, losses)]
        for i, (a, b) in enumerate(pairs):
            right_holm, auc_holm, loss_holm = (each[i] for each in corrected)
            found[f"{a}_vs_{b}"] = PairTests(
                family=family,
                difference=differences(of, a, b, confidence),
                mcnemar=CorrectedMcNemar(**vars(answers[i]), p_holm=right_holm),
                odds_ratio=odds_ratio(both[i][0].right, both[i][1].right, confidence),
                delong=CorrectedAucTest(**vars(ranks[i]), p_holm=auc_holm),
                log_loss=CorrectedMeanTest(**vars(losses[i]), p_holm=loss_holm),
            )
    return found


def _question(
    of: Sample, rival: str, metric: Tested, pairs: Mapping[str, PairTests], level: Level
) -> Finding:
    """Compare the ensemble with its rival, one of the tests against each member."""
    tests = pairs[f"{ENSEMBLE}_vs_{rival}"]
    p_holm = {
        "accuracy": tests.mcnemar.p_holm,
        "auc": tests.delong.p_holm,
        "log_loss": tests.log_loss.p_holm,
    }[metric]
    family = sum(each.family == tests.family for each in pairs.values())
    return finding(
        contrast(of, ENSEMBLE, rival, metric, level, p_holm=p_holm, family=family),
        level.confidence,
    )


def _against(of: Sample, first: str, second: str, level: Level) -> dict[Tested, Finding] | None:
    """Compare two weightings by each metric; None where one of them gives no weights."""
    if first not in of.detectors or second not in of.detectors:
        return None
    return {
        metric: finding(
            contrast(of, first, second, metric, level, p_holm=None, family=1),
            level.confidence,
        )
        for metric in TESTED
    }


def _as_family(
    tests: Mapping[str, dict[Tested, Finding]], confidence: float
) -> dict[str, dict[Tested, Finding]]:
    """Return findings with Holm's correction for all of them, each metric by itself."""
    corrected = {
        metric: dict(zip(tests, holm([of[metric].contrast.p_value for of in tests.values()]), strict=True))
        for metric in TESTED
    }
    return {
        name: {
            metric: finding(
                replace(of[metric].contrast, p_holm=corrected[metric][name], family=len(tests)), confidence
            )
            for metric in TESTED
        }
        for name, of in tests.items()
    }


def _best_weights(
    test: Aligned, settings: Settings, data_set: str
) -> tuple[list[dict[str, float]], np.ndarray]:
    """Return the weights of least log loss on each random half of the images, of each class, and P(fake) of
    every image by those of the half that it is not in; none where a class has a single image."""
    if min(np.bincount(test.labels, minlength=2)) < 2:
        return [], np.empty(0)
    rng = np.random.default_rng(stream(settings.comparing.seed, f"{data_set} halves"))
    first = np.zeros(len(test.labels), dtype=bool)
    for label in (0, 1):
        images = rng.permutation(np.flatnonzero(test.labels == label))
        first[images[: len(images) // 2]] = True
    found = []
    p_fake = np.empty(len(test.labels))
    for half in (first, ~first):
        of_half = {name: p[half] for name, p in test.p_fake.items()}
        smallest = settings.measuring.smallest_probability
        found.append(weights("log_loss", test.labels[half], of_half, settings.threshold, smallest))
        p_fake[~half] = combine(found[-1], {name: p[~half] for name, p in test.p_fake.items()})
    return found, p_fake


def _found_best(halves: list[dict[str, float]], of: Sample, settings: Settings) -> BestWeights | None:
    less_uniform = _against(of, _BEST, _weighting("uniform"), settings.level)
    if less_uniform is None:
        return None
    return BestWeights(
        halves=halves,
        metrics=intervals(of, _BEST, settings.confidence),
        less_uniform=less_uniform,
        less_shares=_against(of, _BEST, _weighting("accuracy"), settings.level),
    )


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
    val: Aligned, shares: Mapping[str, dict[str, float] | None], settings: Settings
) -> dict[str, dict[str, float] | None]:
    """Return every method's weights; None where all accuracies are zero."""
    return {
        method: shares["+".join(val.p_fake)]
        if method == "accuracy"
        else weights(
            method, val.labels, val.p_fake, settings.threshold, settings.measuring.smallest_probability
        )
        for method in get_args(Method)
    }


def _complementarity(
    test: Aligned,
    shares: Mapping[str, dict[str, float] | None],
    of_all: Sample,
    settings: Settings,
) -> Complementarity:
    confidence, threshold = settings.confidence, settings.threshold
    labels, members = test.labels, list(test.p_fake)
    called = {name: (p >= threshold).astype(np.int64) for name, p in test.p_fake.items()}
    right = [called[name] == labels for name in members]
    someone_right = int(np.count_nonzero(np.any(right, axis=0)))

    everyone = "+".join(members)
    adds: dict[str, Figures | None] = {}
    tests: dict[str, dict[Tested, Finding]] = {}
    for name in members if len(members) > 1 else []:
        rest = "+".join(other for other in members if other != name)
        subsets_of_all = f"subset {everyone}", f"subset {rest}"
        tested = _against(of_all, *subsets_of_all, settings.level)
        adds[name] = differences(of_all, *subsets_of_all, confidence) if tested else None
        if tested:
            tests[name] = tested
    return Complementarity(
        pairs={f"{a}_vs_{b}": pair(labels, called[a], called[b]) for a, b in combinations(members, 2)},
        images_by_wrong_models={
            group: {str(wrong): count for wrong, count in enumerate(wrong_counts([r[images] for r in right]))}
            for group, images in (("all", labels >= 0), ("real", labels == 0), ("fake", labels == 1))
        },
        oracle_accuracy=wilson(someone_right, len(labels), confidence),
        oracle_of_coins=oracle_of_coins(len(members)),
        member_adds=adds,
        member_tests=_as_family(tests, confidence),
        subsets={
            name: Subset(of, intervals(of_all, f"subset {name}", confidence))
            if of
            else NoSubset(None, None, "no member classifies a validation image correctly")
            for name, of in shares.items()
        },
    )


def _effect_of_weighting(
    test: Aligned,
    weightings: Mapping[str, dict[str, float] | None],
    of_all: Sample,
    settings: Settings,
) -> dict[str, Weighting | NoWeighting]:
    confidence, threshold = settings.confidence, settings.threshold
    uniform = combine(weights("uniform", test.labels, test.p_fake), test.p_fake)
    found: dict[str, Weighting | NoWeighting] = {}
    for method, of in weightings.items():
        if of is None:
            found[method] = NoWeighting(None, "no model classifies a validation image correctly")
            continue
        p = combine(of, test.p_fake)
        name, equal = _weighting(method), _weighting("uniform")
        found[method] = Weighting(
            weights=of,
            metrics=intervals(of_all, name, confidence),
            less_uniform=differences(of_all, name, equal, confidence) if name != equal else None,
            decisions_unlike_uniform=int(np.count_nonzero((p >= threshold) != (uniform >= threshold))),
            largest_change_of_p_fake=float(np.abs(p - uniform).max()),
        )
    return found


def _calibration(val: _LabelsAndP, test: _LabelsAndP, settings: Settings, seed: list[int]) -> Calibration:
    (labels, p), confidence, bins = test, settings.confidence, settings.measuring.ece_bins
    smallest = settings.measuring.smallest_probability
    temperature = fit_temperature(*val, smallest)
    before = settings.metrics(labels, p)
    by_chance = ece_if_calibrated(
        p, bins, draws=settings.comparing.resamples, seed=seed, confidence=confidence
    )
    bias, sure = in_the_large(labels, p, confidence), too_sure(labels, p, confidence)
    scaled = None
    if temperature is not None:
        p_scaled = with_temperature(p, temperature, smallest)
        after = settings.metrics(labels, p_scaled)
        gain = log_losses(labels, p, smallest) - log_losses(labels, p_scaled, smallest)
        saved = mean_test(gain, confidence)
        scaled = Scaled(
            after.ece,
            after.log_loss,
            after.brier,
            saved.difference,
            saved.p_value,
            scaling(saved.difference, saved.p_value, confidence),
        )
    return Calibration(
        verdict=calibrated(before.ece, by_chance.at_most, sure, bias),
        ece=before.ece,
        ece_if_calibrated=by_chance,
        in_the_large=bias,
        certainty=float(certainty(p).mean()),
        too_sure=sure,
        log_loss=before.log_loss,
        brier=brier_decomposition(labels, p, bins),
        temperature=temperature,
        scaled=scaled,
        reason=None
        if scaled
        else "no temperature is best: on validation the detector is no better than chance, or never wrong",
        reliability=reliability_curve(labels, p, bins, confidence),
    )


def _operating_points(
    val: _LabelsAndP, test: _LabelsAndP, settings: Settings
) -> dict[str, OperatingPoint | NoThreshold]:
    confidence = settings.confidence
    thresholds: dict[str, float | None] = {
        "default": settings.threshold,
        "youden": youden(*val),
        **{name: threshold_for_fpr(*val, rate) for name, rate in FALSE_POSITIVE_RATES.items()},
    }
    reals = int((val[0] == 0).sum())
    found: dict[str, OperatingPoint | NoThreshold] = {}
    for name, chosen in thresholds.items():
        rate = FALSE_POSITIVE_RATES.get(name)
        if chosen is not None:
            found[name] = operating_point(
                *test,
                chosen,
                confidence,
                prevalences=settings.comparing.prevalences,
                expected=expected_false_positive_rate(reals, rate, confidence) if rate else None,
            )
        elif rate and reals * rate < 1:
            found[name] = NoThreshold(None, f"needs {int(1 / rate):,} real validation images, has {reals:,}")
        else:
            found[name] = NoThreshold(None, "too many real validation images have the probability 1")
    return found


def _gains(
    labels: np.ndarray,
    p_fake: Mapping[str, np.ndarray],
    points: Mapping[str, Mapping[str, OperatingPoint | NoThreshold]],
    over: str,
    confidence: float,
) -> dict[str, Gain]:
    calls = {}
    for name, point in points[ENSEMBLE].items():
        other = points[over][name]
        if isinstance(point, OperatingPoint) and isinstance(other, OperatingPoint):
            calls[name] = p_fake[ENSEMBLE] >= point.threshold, p_fake[over] >= other.threshold
    return gains(labels, calls, over, confidence)
