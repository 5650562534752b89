"""What this run says of the paper's claims: one verdict each, by a rule that was fixed beforehand."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from deepfake_ensemble.comparison.runs import Pair
from deepfake_ensemble.pages.rendering import Section
from deepfake_ensemble.studies.residual.report.study import Study
from deepfake_ensemble.training.residual.curves import Curves
from deepfake_ensemble.training.residual.settings import Run

Verdict = Literal["is shown", "is shown in part", "is contradicted", "is not shown", "cannot be told"]

DEPTH_STEPS = 3  # between the paper's four depths
VANISHING = 0.1


@dataclass(frozen=True)
class Answer:
    """A claim, what this run says of it, and why.

    Attributes:
        claim: after "That".
        verdict: what follows by the rule.
        rule: it, in words.
        pairs: the tests behind it.
        figures: of runs, which the rule compares.
        agree: in how many pairs of runs it holds, and how many there are.
    """

    claim: str
    verdict: Verdict
    rule: str
    pairs: Sequence[Pair] = ()
    figures: Sequence[tuple[str, float]] = ()
    agree: tuple[int, int] | None = None


def section(study: Study) -> Section:
    """Return the section."""
    return Section("What it says of the paper's claims", "claims.html", answers(study))


def answers(study: Study) -> list[Answer]:
    """Return the verdicts in the order of the paper."""
    return [
        _depth(study),
        _schedule(study),
        _connections(study),
        _gradients(study),
        _weights(study),
        _both(study),
        _loss(study),
    ]


def by_tests(pairs: Sequence[Pair], alpha: float) -> Verdict:
    """Return what tests say of the claim that the first run of each pair has the higher F1.

    It is contradicted where one of them finds a lower F1, and shown where each finds a higher one.
    """
    if not pairs:
        return "cannot be told"
    higher = [pair.f1.value > 0 for pair in pairs if pair.p_holm is not None and pair.p_holm < alpha]
    if not all(higher):
        return "is contradicted"
    if len(higher) == len(pairs):
        return "is shown"
    return "is shown in part" if higher else "is not shown"


def _differing(study: Study, what: Callable[[Run], str]) -> Iterator[Pair]:
    """Yield the contrasts of runs that differ in what a function tells of them."""
    for pair in study.official.contrasts.values():
        if what(study.runs.all[pair.first]) != what(study.runs.all[pair.second]):
            yield pair


def _alpha(study: Study) -> float:
    return 1 - study.official.confidence


def _depth(study: Study) -> Answer:
    whole = [
        pair
        for pair in _differing(study, lambda run: run.model)
        if study.runs.all[pair.first].connections == "kept"
    ]
    verdict = by_tests(whole, _alpha(study))
    if verdict == "is shown" and len(whole) < DEPTH_STEPS:
        verdict = "is shown in part"
    return Answer(
        "the deeper of two ResNets has the higher F1",
        verdict,
        "each depth is tested against the next lower one that was trained for as many epochs; all three steps"
        " must be there",
        whole,
    )


def _connections(study: Study) -> Answer:
    pairs = list(_differing(study, lambda run: run.connections))
    return Answer(
        "residual connections raise F1",
        by_tests(pairs, _alpha(study)),
        "each network is tested against itself with connections removed, trained alike",
        pairs,
    )


def _gradients(study: Study) -> Answer:
    found = study.gradients
    shares = {
        run: without.reach / found.with_connections[run].reach for run, without in found.without.items()
    }
    verdict: Verdict = "cannot be told"
    if shares:
        vanishing = [share < VANISHING for share in shares.values()]
        verdict = "is shown" if all(vanishing) else "is shown in part" if any(vanishing) else "is not shown"
        verdict = "is contradicted" if any(share >= 1 for share in shares.values()) else verdict
    return Answer(
        "without residual connections the gradient vanishes on its way to the first layer",
        verdict,
        "the gradient at the first convolution, as a share of that at the last one, before the first update:"
        f" without connections it is less than {VANISHING:g} times what it is with them; it is contradicted"
        " where it is no less. How many times it is",
        figures=list(shares.items()),
    )


def _weights(study: Study) -> Answer:
    pairs = [
        pair
        for pair in study.official.contrasts.values()
        if study.runs.weights(pair.first) != study.runs.weights(pair.second)
    ]
    return Answer(
        "ImageNet weights raise F1",
        by_tests(pairs, _alpha(study)),
        "each network is tested from ImageNet weights against itself from random ones, trained alike",
        pairs,
    )


def _both(study: Study) -> Answer:
    by_network: dict[str, dict[str, Pair]] = {}
    for pair in _differing(study, lambda run: run.connections):
        run = study.runs.all[pair.second]
        if run.connections == "removed":
            by_network.setdefault(run.model, {})[study.runs.weights(pair.second)] = pair
    both = [of for of in by_network.values() if len(of) == 2]
    more = [of["imagenet"].f1.ends[0] > of["random"].f1.ends[1] for of in both]
    less = [of["imagenet"].f1.ends[1] < of["random"].f1.ends[0] for of in both]
    verdict: Verdict = "cannot be told"
    if both:
        verdict = "is contradicted" if any(less) else "is shown in part" if any(more) else "is not shown"
        verdict = "is shown" if all(more) else verdict
    return Answer(
        "connections and ImageNet weights need each other",
        verdict,
        "what connections add to F1 is compared between both kinds of initial weights, by whether the"
        " intervals overlap",
        [pair for of in both for pair in of.values()],
    )


def rise(of: Curves) -> float:
    """Return how much a run's validation loss rises from its least to its last."""
    return of.val_log_loss[-1] - min(of.val_log_loss)


def _schedule(study: Study) -> Answer:
    margin = study.params["comparison"]["margins"]["log_loss"]
    pairs = list(_differing(study, lambda run: run.recipe))
    rises = [(run, rise(study.curves[run])) for pair in pairs for run in (pair.first, pair.second)]
    verdict: Verdict = "cannot be told"
    if pairs:
        scheduled, constant = rises[0][1], rises[1][1]
        verdict = "is not shown"
        if scheduled <= margin < constant:
            verdict = "is shown"
        elif constant <= margin < scheduled:
            verdict = "is contradicted"
    return Answer(
        "the schedule prevents overfitting",
        verdict,
        f"the validation loss of the one training rises by more than {margin:g} after its least, that of the"
        " other does not; of one training each",
        pairs,
        rises,
    )


def _loss(study: Study) -> Answer:
    found = study.official.loss_and_f1
    verdict: Verdict = "cannot be told"
    if found.tau is not None and found.p_value is not None:
        verdict = "is not shown"
        if found.p_value < _alpha(study):
            verdict = "is shown" if found.tau > 0 else "is contradicted"
    return Answer(
        "the lower the loss, the higher the F1",
        verdict,
        "Kendall's test over all runs",
        agree=(found.agree, found.pairs),
    )
