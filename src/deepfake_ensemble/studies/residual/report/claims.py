"""What this run says of the paper's claims: one verdict each, by a rule that was fixed beforehand."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from deepfake_ensemble.comparison.runs import Pair
from deepfake_ensemble.pages.rendering import Section
from deepfake_ensemble.studies.residual.report.study import Study
from deepfake_ensemble.training.residual.curves import Curves
from deepfake_ensemble.training.residual.settings import Run

# The last four are all "cannot be told from this run", each for its reason; the two before them say no more
# than one draw of the weights and one batch can.
Verdict = Literal[
    "is shown",
    "is contradicted",
    "is not shown",
    "is seen at the start of these",
    "is not seen at the start of these",
    "no such runs",
    "a step is missing",
    "too few beat a constant answer",
    "they do not agree",
]

DEPTH_STEPS = 3  # between the paper's four depths
VANISHING = 0.1


@dataclass(frozen=True)
class Answer:
    """A claim, what this run says of it, and why.

    Attributes:
        claim: after "That".
        verdict: what follows by the rule.
        rule: it, in words.
        figures: of runs, which the rule compares.
        figure: what one of them is, in words.
        agree: in how many pairs of runs it holds, and how many there are.
    """

    claim: str
    verdict: Verdict
    rule: str
    figures: Sequence[tuple[str, float]] = ()
    figure: str = ""
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


def together(found: Sequence[int]) -> Verdict:
    """Return what comparisons say of a claim that all of them are about, by one rule.

    Args:
        found: of each, 1 where it finds what the claim says, -1 where it finds the opposite, 0 for neither.

    Returns:
        "is shown" or "is contradicted" where each finds the same; "is not shown" where none finds anything.
    """
    if not found:
        return "no such runs"
    verdicts: dict[int, Verdict] = {1: "is shown", -1: "is contradicted", 0: "is not shown"}
    return verdicts[found[0]] if len(set(found)) == 1 else "they do not agree"


def _by_tests(study: Study, pairs: Sequence[Pair]) -> Verdict:
    """Return what tests say of the claim that the first run of each pair has the higher F1."""
    telling = [pair for pair in pairs if _tells(study, pair)]
    if pairs and not telling:
        return "too few beat a constant answer"

    def sign(pair: Pair) -> int:
        clears = pair in telling and pair.p_holm is not None and pair.p_holm < _alpha(study)
        return 0 if not clears else 1 if pair.f1.value > 0 else -1

    return together([sign(pair) for pair in pairs])


def _tells(study: Study, pair: Pair) -> bool:
    """Return whether one of two runs has more F1 than a constant answer.

    Calling everything fake has a higher F1 than many a network that has learnt a little, so that of two runs
    that are no better the difference says how much they call fake, and nothing else.
    """
    return study.learnt(pair.first) or study.learnt(pair.second)


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
    verdict = _by_tests(study, whole)
    steps = {study.runs.all[pair.first].model for pair in whole}
    if whole and len(steps) < DEPTH_STEPS:
        verdict = "a step is missing"
    return Answer(
        "the deeper of two ResNets has the higher F1",
        verdict,
        "each depth is tested against the next lower one that was trained for as many epochs; all three steps"
        " must be there and clear their tests",
        [(pair.first, pair.f1.value) for pair in whole],
        "Of the steps that were run, how much more F1 the deeper has",
    )


def _connections(study: Study) -> Answer:
    return Answer(
        "residual connections raise F1",
        _by_tests(study, list(_differing(study, lambda run: run.connections))),
        "each network is tested against itself with connections removed, trained alike; each test must"
        " find it",
    )


def _gradients(study: Study) -> Answer:
    found = study.gradients
    shares = {
        run: without.reach / found.with_connections[run].reach for run, without in found.without.items()
    }
    verdict = together([int(share < VANISHING) for share in shares.values()])
    seen: dict[Verdict, Verdict] = {
        "is shown": "is seen at the start of these",
        "is not shown": "is not seen at the start of these",
    }
    return Answer(
        "without residual connections the gradient vanishes on its way to the first layer",
        seen.get(verdict, verdict),
        "the gradient at the first convolution, as a share of that at the last one, before the first update,"
        " of one draw of the weights and one batch:"
        f" without connections it is less than {VANISHING:g} times what it is with them, in each of these"
        " networks",
        list(shares.items()),
        "How many times it is",
    )


def _weights(study: Study) -> Answer:
    pairs = [
        pair
        for pair in study.official.contrasts.values()
        if study.runs.weights(pair.first) != study.runs.weights(pair.second)
    ]
    return Answer(
        "ImageNet weights raise F1",
        _by_tests(study, pairs),
        "each network is tested from ImageNet weights against itself from random ones, trained alike; each"
        " test must find it",
    )


def _both(study: Study) -> Answer:
    by_network: dict[str, dict[str, Pair]] = {}
    for pair in _differing(study, lambda run: run.connections):
        run = study.runs.all[pair.second]
        if run.connections == "removed":
            by_network.setdefault(run.model, {})[study.runs.weights(pair.second)] = pair
    both = [of for of in by_network.values() if len(of) == 2]

    def sign(of: dict[str, Pair]) -> int:
        imagenet, random = of["imagenet"].f1.ends, of["random"].f1.ends
        return int(imagenet[0] > random[1]) - int(imagenet[1] < random[0])

    telling = [of for of in both if any(_tells(study, pair) for pair in of.values())]
    verdict = together([sign(of) if of in telling else 0 for of in both])
    return Answer(
        "connections and ImageNet weights need each other",
        "too few beat a constant answer" if both and not telling else verdict,
        "what connections add to F1 is compared between both kinds of initial weights, by whether the"
        " intervals overlap; of each network that has all four runs",
    )


def rise(of: Curves) -> float:
    """Return how much a run's validation loss rises from its least to its last."""
    return of.val_log_loss[-1] - min(of.val_log_loss)


def _schedule(study: Study) -> Answer:
    margin = study.params["comparison"]["margins"]["log_loss"]
    pairs = list(_differing(study, lambda run: run.recipe))
    telling = [pair for pair in pairs if _tells(study, pair)]
    rises = {run: rise(study.curves[run]) for pair in pairs for run in (pair.first, pair.second)}

    def sign(pair: Pair) -> int:
        return int(rises[pair.second] > margin) - int(rises[pair.first] > margin)

    verdict = together([sign(pair) if pair in telling else 0 for pair in pairs])
    return Answer(
        "the schedule prevents overfitting",
        "too few beat a constant answer" if pairs and not telling else verdict,
        f"the validation loss of the training without it rises by more than {margin:g} after its least, that"
        " of the other does not; of one training each",
        list(rises.items()),
        "By how much it rises",
    )


def _loss(study: Study) -> Answer:
    found = study.official.loss_and_f1
    verdict: Verdict = "no such runs" if study.is_one_run else "too few beat a constant answer"
    if found.tau is not None and found.p_value is not None:
        verdict = "is not shown"
        if found.p_value < _alpha(study):
            verdict = "is shown" if found.tau > 0 else "is contradicted"
    return Answer(
        "the lower the loss, the higher the F1",
        verdict,
        "Kendall's test over all runs that have more F1 than a constant answer",
        agree=(found.agree, found.pairs) if found.pairs else None,
    )
