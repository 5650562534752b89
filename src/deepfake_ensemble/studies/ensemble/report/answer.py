"""The study's question answered in sentences built from the figures: does weighted averaging help?"""

from collections.abc import Mapping, Sequence
from typing import Any

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.detectors import title
from deepfake_ensemble.pages.numbers import PERCENT, Number, Sign, count, p_value, percent, points, share
from deepfake_ensemble.studies.ensemble.report.study import Evaluation

# Text and the figures in it, for HTML or Markdown to join.
Sentence = list[str | Number]


def answer(evaluations: Sequence[Evaluation]) -> list[Sentence]:
    """Return a sentence on the internal test, which comes first, and one on each other data set."""
    internal, *others = evaluations
    return [_internal(internal), *(_elsewhere(each) for each in others)]


def failures(validation: Mapping[str, Mapping[str, Any]]) -> list[Sentence]:
    """Return a sentence on each model that may be guessing."""
    return [
        [
            f"{title(model)} is not shown to do better than guessing on the validation split (accuracy ",
            share(of["accuracy"]),
            ", ",
            *p_equals(of["p_value"]),
            "): its training may have failed, see its learning curves.",
        ]
        for model, of in validation.items()
        if of["at_chance"]
    ]


def as_text(sentence: Sentence) -> str:
    """Return a sentence for Markdown."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


def best_member(evaluation: Evaluation) -> str:
    """Return the member with the highest accuracy on these images, the hardest one to beat."""
    figures = evaluation.compared["detectors"]
    members = [name for name in evaluation.detectors if name != ENSEMBLE]
    return max(members, key=lambda name: figures[name]["accuracy"]["value"])


def beyond_chance(evaluation: Evaluation, p: float) -> bool:
    """Return whether a p-value is below what the confidence leaves of 1."""
    return p < 1 - evaluation.compared["confidence"]


def weights_matter(evaluation: Evaluation) -> Sentence:
    """Return a sentence on what the study's weights change against equal ones; empty without such weights."""
    studys = evaluation.compared["weightings"]["accuracy"]
    if studys["weights"] is None:
        return []
    change = studys["less_uniform"]["accuracy"]
    if change["ci_low"] > 0:
        verdict = "The weights themselves help"
    elif change["ci_high"] < 0:
        verdict = "The weights themselves hurt"
    else:
        verdict = "The weights themselves are not shown to matter"
    return [
        f"{verdict}: against equal ones, the study's (shares of validation accuracy) change the accuracy on ",
        f"{evaluation.place} by ",
        points(change["value"], evaluation.digits),
        " points (",
        *_range(change, evaluation.digits, sign="both"),
        ") and decide ",
        count(studys["decisions_unlike_uniform"]),
        " of ",
        count(evaluation.compared["n"]),
        " images otherwise.",
    ]


def _internal(evaluation: Evaluation) -> Sentence:
    gain, p = _against_best(evaluation)
    if not beyond_chance(evaluation, p):
        verdict = "This run does not show that weighted averaging helps"
    elif gain["value"] > 0:
        verdict = "Weighted averaging helps, by more than chance explains"
    else:
        verdict = "Weighted averaging hurts, by more than chance explains"
    return [
        f"{verdict}: on {evaluation.place} (",
        count(evaluation.compared["n"]),
        " images) the ensemble classifies ",
        *_accuracy(evaluation),
        "), ",
        *_comparison(evaluation),
        ".",
    ]


def _elsewhere(evaluation: Evaluation) -> Sentence:
    assert evaluation.drop is not None
    drop, digits = evaluation.drop["drops"][ENSEMBLE]["accuracy"]["drop"], evaluation.digits
    return [
        f"On {evaluation.place} (",
        count(evaluation.compared["n"]),
        " images) it classifies ",
        *_accuracy(evaluation),
        "; not clearly better than guessing), " if _may_be_guessing(evaluation) else "), ",
        points(drop["value"], digits, sign="never"),
        f" points {'less' if drop['value'] >= 0 else 'more'} than on the internal test (a drop of ",
        *_range(drop, digits, sign="minus"),
        " points), and ",
        *_comparison(evaluation),
        ".",
    ]


def _against_best(evaluation: Evaluation) -> tuple[Mapping[str, float], float]:
    """Return the ensemble's accuracy less its best member's, and the paired test's p-value."""
    pair = evaluation.compared["pairs"][f"{ENSEMBLE}_vs_{best_member(evaluation)}"]
    return pair["difference"]["accuracy"], pair["mcnemar"]["p_holm"]


def _accuracy(evaluation: Evaluation) -> Sentence:
    """Return "92.1 % correctly (88.8 to 95.4 %", its parenthesis left open."""
    figure, digits = evaluation.compared["detectors"][ENSEMBLE]["accuracy"], evaluation.digits
    low, high = percent(figure["ci_low"], digits), percent(figure["ci_high"], digits)
    return [
        percent(figure["value"], digits),
        " correctly (",
        Number(low.value, low.text.removesuffix(PERCENT)),
        " to ",
        high,
    ]


def _may_be_guessing(evaluation: Evaluation) -> bool:
    compared = evaluation.compared
    guessing = max(compared["n_fake"], compared["n_real"]) / compared["n"]
    return compared["detectors"][ENSEMBLE]["accuracy"]["ci_low"] <= guessing


def _comparison(evaluation: Evaluation) -> Sentence:
    """Return how it compares with its best member, with the difference's interval and the test."""
    gain, p = _against_best(evaluation)
    digits = evaluation.digits
    by = [points(gain["value"], digits, sign="never"), " points ", "more" if gain["value"] > 0 else "less"]
    return [
        *(by if gain["value"] else ["as many"]),
        f" {'than' if gain['value'] else 'as'} its best member",
        "" if evaluation.drop is None else " there",
        f", {title(best_member(evaluation))} (",
        *_range(gain, digits, sign="both"),
        " points; McNemar's test with Holm's correction: ",
        *p_equals(p),
        ")",
    ]


def _range(figure: Mapping[str, float], digits: int, sign: Sign) -> Sentence:
    return [points(figure["ci_low"], digits, sign=sign), " to ", points(figure["ci_high"], digits, sign=sign)]


def p_equals(p: float) -> Sentence:
    """Return "p = 0.031", or "p < 0.001"."""
    shown = p_value(p)
    return ["p\N{NO-BREAK SPACE}" + ("" if shown.text.startswith("<") else "=\N{NO-BREAK SPACE}"), shown]
