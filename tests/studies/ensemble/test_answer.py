"""The answer in sentences: every rule by its name, and all sentences of a dozen made-up outcomes.

They stand in sentences.md, to be read; `python tests/studies/ensemble/test_answer.py` writes them anew.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from deepfake_ensemble.comparison.comparison import compare, cross_data_set
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import Contrast
from deepfake_ensemble.comparison.verdicts import calibrated, scaling, verdict
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.evaluation.weighting import weights
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.studies.ensemble.report.answer import answered, as_markdown, in_short
from deepfake_ensemble.studies.ensemble.report.study import Evaluation
from measuring import settings

SENTENCES = Path(__file__).with_name("sentences.md")
MODELS = ("cnn", "resnet50", "xception", "efficientnet_b4")


def split(n, seed, skills, *, shared=0.0, own=1.0, bias=0.0):
    """Return predictions of members whose scores tell the classes apart by their skill."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    common = shared * rng.normal(size=n)
    scores = [2 * (s * (2 * labels - 1) + common + own * rng.normal(size=n)) + bias for s in skills]
    p_fake = {name: expit(score) for name, score in zip(MODELS, scores, strict=False)}
    return Aligned(tuple(f"{i}.jpg" for i in range(n)), labels, p_fake)


def wrong(of):
    return Aligned(of.paths, of.labels, {name: 1 - p for name, p in of.p_fake.items()})


def evaluations(test, val, outside=None):
    try:
        shares = weights("accuracy", val.labels, val.p_fake)
    except UserError:
        shares = weights("uniform", val.labels, val.p_fake)
    measured = settings(resamples=100)
    found = [
        Evaluation(
            "internal", {}, compare(test, val, shares, measured, data_set="internal"), {}, {}, {}, None
        )
    ]
    if outside is not None:
        drop = cross_data_set(
            test,
            outside,
            shares,
            measured,
            names=("internal", "cifake"),
            subjects=[None] * len(outside.labels),
        )
        compared = compare(outside, val, shares, measured, data_set="cifake")
        found.append(Evaluation("cifake", {}, compared, {}, {}, {}, drop))
    return found


EQUAL = (1.0,) * 4
OUTCOMES = {
    "helps": lambda: evaluations(split(1000, 1, EQUAL), split(400, 2, EQUAL)),
    "hurts": lambda: evaluations(split(1000, 1, (0, 0, 3, 0)), split(400, 2, (0, 0, 3, 0))),
    "equal, 20,000 images": lambda: evaluations(
        split(20_000, 1, EQUAL, shared=1.0, own=0.02), split(400, 2, EQUAL, shared=1.0, own=0.02)
    ),
    "helps little, 20,000 images": lambda: evaluations(
        split(20_000, 1, EQUAL, shared=1.0, own=0.18), split(400, 2, EQUAL, shared=1.0, own=0.18)
    ),
    "a perfect rival": lambda: evaluations(split(240, 1, (1, 1, 9, 1)), split(200, 2, (1, 1, 9, 1))),
    "all guess": lambda: evaluations(split(240, 1, (0,) * 4), split(200, 2, (0,) * 4)),
    "worse than guessing": lambda: evaluations(wrong(split(240, 1, EQUAL)), split(200, 2, EQUAL)),
    "all called real": lambda: evaluations(split(240, 1, EQUAL, bias=-30), split(200, 2, EQUAL, bias=-30)),
    "6 images": lambda: evaluations(split(6, 1, EQUAL), split(20, 2, EQUAL)),
    "members that say the same": lambda: evaluations(
        split(240, 1, EQUAL, shared=1.0, own=0.0), split(200, 2, EQUAL, shared=1.0, own=0.0)
    ),
    "never right": lambda: evaluations(wrong(split(40, 1, (9,) * 4)), wrong(split(40, 2, (9,) * 4))),
    "good at home, lost abroad": lambda: evaluations(
        split(240, 1, (1, 2, 3, 2)), split(200, 2, (1, 2, 3, 2)), split(2000, 3, (0, 0, 0.1, 0), bias=-3)
    ),
    "abroad better than a rival that is worse than a coin": lambda: evaluations(
        split(240, 1, (1, 2, 3, 2)), split(200, 2, (1, 2, 3, 2)), split(2000, 3, (0.05, 0, -0.1, 0.05))
    ),
}


def listed():
    """Return all sentences of all outcomes."""
    parts = []
    for name, make in OUTCOMES.items():
        of = make()
        parts.append(f"# {name}\n\n{as_markdown(of, 'accuracy')}\n\nIn short: {in_short(of, 'accuracy')}")
    return "\n\n".join(parts).replace("\xa0", " ") + "\n"


def test_all_sentences_of_a_dozen_outcomes_are_those_that_were_read():
    assert listed() == SENTENCES.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("outcome", "metric", "want"),
    [
        ("helps", "accuracy", "helps"),
        ("hurts", "accuracy", "hurts"),
        ("hurts", "log_loss", "hurts"),
        ("equal, 20,000 images", "auc", "equivalent"),
        ("helps little, 20,000 images", "auc", "helps little"),
        ("a perfect rival", "accuracy", "cannot"),
        ("a perfect rival", "log_loss", "hurts"),
        ("all guess", "auc", "unclear"),
        ("all called real", "accuracy", "same"),
        ("6 images", "accuracy", "unclear"),
        ("members that say the same", "log_loss", "same"),
    ],
)
def test_outcomes_have_the_verdicts_that_they_were_made_for(outcome, metric, want):
    assert OUTCOMES[outcome]()[0].compared.question[metric].verdict == want


def test_members_that_may_be_guessing_are_named_beside_their_weight():
    failures = answered(OUTCOMES["hurts"](), "accuracy").failures
    assert list(failures) == ["cnn", "resnet50", "efficientnet_b4"]
    text = as_markdown(OUTCOMES["hurts"](), "accuracy")
    for name, of in failures.items():
        assert f"{100 * of.weight:.1f}\xa0% of the weight" in text, name
    assert "Together they hold 60.8" in text


ABROAD = "abroad better than a rival that is worse than a coin"


def test_gains_with_which_the_ensemble_still_guesses_are_called_of_no_use():
    of = OUTCOMES[ABROAD]()
    home, abroad = answered(of, "accuracy").answers
    assert home.question_of_no_use == []
    assert abroad.question_of_no_use == ["accuracy", "auc", "log_loss"]
    assert (
        min(it.contrast.first_value for it in abroad.question.values() if it.contrast.metric == "log_loss")
        > 0.694
    )
    text = as_markdown(of, "accuracy")
    assert (
        "What it gains in accuracy is of no use there: the ensemble is worse than guessing, Xception" in text
    )
    assert "is no less than the 0.6931 of an even chance for every image." in text


def test_what_weights_gain_is_of_no_use_where_the_ensemble_guesses():
    shares = OUTCOMES["good at home, lost abroad"]()
    home, abroad = answered(shares, "accuracy").answers
    assert abroad.shares["auc"].verdict == "helps little" and abroad.shares_of_no_use == ["auc"]
    assert home.shares["log_loss"].verdict == "helps little" and home.shares_of_no_use == []


@pytest.mark.parametrize("name", OUTCOMES)
def test_in_short_it_is_told_what_is_right_and_whether_that_is_guessing(name):
    of = OUTCOMES[name]()
    text = in_short(of, "accuracy")
    for answer in answered(of, "accuracy").answers:
        said = re.split("; on |On validation", text.partition(f"n {answer.evaluation.place} (")[2])[0]
        assert said.startswith(f"{answer.evaluation.compared.n:,} images")
        guesses = (answer.guessing.verdict, answer.guessing.ranks) != ("better", "better")
        assert ("guessing" in said) == guesses
        assert ("worse than guessing" in said) == (answer.guessing.verdict == "worse")
        assert ("ranks worse than chance" in said) == (answer.guessing.ranks == "worse")
        assert "no better than guessing" not in said  # what is not shown is no fact
    assert ("On validation" in text) == bool(answered(of, "accuracy").failures)


CONTRAST = Contrast(
    metric="accuracy",
    first="ensemble",
    second="xception",
    first_value=0.93,
    second_value=0.9,
    gain=Interval(0.03, 0.01, 0.05),
    p_value=0.001,
    p_holm=0.004,
    family=4,
    margin=0.01,
    p_equivalent=0.9,
    detectable=0.02,
    detectable_holm=0.03,
)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, "helps"),
        ({"p_equivalent": 0.01}, "helps little"),
        ({"gain": Interval(-0.03, -0.05, -0.01)}, "hurts"),
        ({"gain": Interval(-0.003, -0.005, -0.001), "p_equivalent": 0.01}, "hurts little"),
        ({"p_holm": 0.051}, "unclear"),  # however far the interval is from zero
        ({"p_holm": 0.051, "p_equivalent": 0.04}, "equivalent"),
        ({"p_holm": 0.5, "second_value": 1.0, "p_equivalent": 0.04}, "cannot"),
        ({"p_holm": 0.01, "second_value": 1.0, "gain": Interval(-0.03, -0.05, -0.01)}, "hurts"),
        ({"p_value": None, "p_holm": None, "gain": Interval(0.0, -0.01, 0.01)}, "same"),
        ({"p_value": None, "p_holm": None, "gain": Interval(1.0, 0.9, 1.0)}, "unclear"),
    ],
)
def test_each_verdict_follows_from_its_test(changes, want):
    assert verdict(replace(CONTRAST, **changes), 0.95) == want


@pytest.mark.parametrize(
    ("ece", "sure", "mean", "want"),
    [
        (0.06, Interval(0.05, 0.02, 0.08), Interval(0.0, -0.1, 0.1), "too sure"),
        (0.06, Interval(-0.05, -0.08, -0.02), Interval(0.0, -0.1, 0.1), "too unsure"),
        (0.06, Interval(0.01, -0.02, 0.04), Interval(0.0, -0.1, 0.1), "off"),
        (0.047, Interval(0.05, 0.02, 0.08), Interval(0.0, -0.1, 0.1), "not shown to be wrong"),
        (0.04, Interval(0.0, -0.02, 0.02), Interval(0.05, 0.01, 0.09), "off"),
        (0.0, Interval(0.0, None, None), Interval(0.0, None, None), "not shown to be wrong"),
    ],
)
def test_probabilities_are_judged_beside_what_chance_makes_of_right_ones(ece, sure, mean, want):
    assert calibrated(ece, 0.049, sure, mean) == want


@pytest.mark.parametrize(
    ("saved", "p", "want"),
    [(0.1, 0.01, "helps"), (-7.15, 1e-9, "hurts"), (0.1, 0.06, "unclear"), (0.0, None, "unclear")],
)
def test_a_temperature_is_judged_by_what_it_does_to_log_loss(saved, p, want):
    assert scaling(Interval(saved, saved - 0.1, saved + 0.1), p, 0.95) == want


if __name__ == "__main__":
    SENTENCES.write_text(listed(), encoding="utf-8")
