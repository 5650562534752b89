"""The answer in sentences: they follow the tests and intervals, whatever way the figures go."""

from types import SimpleNamespace

import pytest
from deepfake_ensemble.evaluation.guessing import Guessing

from deepfake_ensemble.comparison.comparison import NoWeighting, Weighting
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.studies.ensemble.report.answer import answered, as_markdown
from deepfake_ensemble.studies.ensemble.report.study import Evaluation


def figure(value, low=None, high=None):
    return Interval(value, value - 0.03 if low is None else low, high or value + 0.03)


def accuracy(it):
    return SimpleNamespace(accuracy=it)


def evaluation(name, ensemble, best, p, *, drop=None, weights=(0.001, -0.002, 0.004)):
    accuracies = {"cnn": best - 0.2, "xception": best, "ensemble": ensemble}
    pairs = {
        f"ensemble_vs_{member}": SimpleNamespace(
            difference=accuracy(figure(ensemble - accuracies[member])), mcnemar=SimpleNamespace(p_holm=p)
        )
        for member in ("cnn", "xception")
    }
    compared = SimpleNamespace(
        n=1000,
        n_fake=500,
        n_real=500,
        confidence=0.95,
        detectors={detector: accuracy(figure(value)) for detector, value in accuracies.items()},
        pairs=pairs,
        weightings={"accuracy": Weighting({"cnn": 0.5}, None, accuracy(Interval(*weights)), 7, 0.1)},
    )
    lost = None
    if drop is not None:
        lost = SimpleNamespace(drops={"ensemble": accuracy(SimpleNamespace(drop=figure(drop)))})
    return Evaluation(name, {}, compared, {}, {}, {}, lost)


def sentences(*evaluations):
    """Return the answer's sentences: each evaluation's, and the one on the weights."""
    answers, *weights = as_markdown(evaluations).replace("\xa0", " ").split("\n\n")
    first, found, other = answers.partition("On CIFAKE")
    return [first.strip(), *([found + other] if found else []), *weights]


def test_a_gain_beyond_chance_is_called_one():
    sentence, _ = sentences(evaluation("internal", 0.95, 0.92, p=0.004))
    assert sentence == (
        "Weighted averaging helps, by more than chance explains: on the internal test (1,000 images) the "
        "ensemble classifies 95.0 % correctly (92.0 to 98.0 %), 3.0 points more than its best member, "
        "Xception (0.0 to +6.0 points; McNemar's test with Holm's correction: p = 0.004)."
    )


@pytest.mark.parametrize(
    ("ensemble", "p", "verdict", "compared"),
    [
        (0.93, 0.2, "This run does not show that weighted averaging helps", "1.0 points more than"),
        (0.92, 1.0, "This run does not show that weighted averaging helps", "as many as"),
        (0.90, 0.2, "This run does not show that weighted averaging helps", "2.0 points less than"),
        (0.85, 0.0004, "Weighted averaging hurts, by more than chance explains", "7.0 points less than"),
    ],
)
def test_the_verdict_follows_the_paired_test(ensemble, p, verdict, compared):
    sentence, _ = sentences(evaluation("internal", ensemble, 0.92, p))
    assert sentence.startswith(f"{verdict}: ")
    assert f"{compared} its best member, Xception (" in sentence
    assert ("p < 0.001" in sentence) == (p < 0.001)


def test_the_fall_on_another_data_set_is_told_with_its_interval():
    _, sentence, _ = sentences(
        evaluation("internal", 0.93, 0.92, 0.2), evaluation("cifake", 0.61, 0.60, 0.4, drop=0.32)
    )
    assert sentence == (
        "On CIFAKE (1,000 images) it classifies 61.0 % correctly (58.0 to 64.0 %), 32.0 points less than on "
        "the internal test (a drop of 29.0 to 35.0 points), and 1.0 points more than its best member there, "
        "Xception (−2.0 to +4.0 points; McNemar's test with Holm's correction: p = 0.400)."
    )


def test_what_guessing_may_reach_is_called_so():
    _, sentence, _ = sentences(
        evaluation("internal", 0.93, 0.92, 0.2), evaluation("cifake", 0.52, 0.51, 1.0, drop=0.41)
    )
    assert "(49.0 to 55.0 %; not clearly better than guessing)" in sentence


def test_a_rise_is_not_called_a_fall():
    _, sentence, _ = sentences(
        evaluation("internal", 0.80, 0.79, 0.2), evaluation("cifake", 0.85, 0.84, 0.4, drop=-0.05)
    )
    assert "5.0 points more than on the internal test (a drop of −8.0 to −2.0 points)" in sentence


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ((0.004, 0.001, 0.007), "The weights themselves help: "),
        ((-0.004, -0.007, -0.001), "The weights themselves hurt: "),
        ((0.004, 0.0, 0.008), "The weights themselves are not shown to matter: "),
    ],
)
def test_whether_weights_matter_follows_the_interval_of_what_they_change(change, verdict):
    sentence = sentences(evaluation("internal", 0.93, 0.92, 0.2, weights=change))[-1]
    assert sentence.startswith(verdict)
    assert sentence.endswith("and decide 7 of 1,000 images otherwise.")


def test_without_weights_nothing_is_said_of_them():
    it = evaluation("internal", 0.93, 0.92, 0.2)
    it.compared.weightings["accuracy"] = NoWeighting(None, "none")
    assert answered([it], {}).weights is None
    assert len(sentences(it)) == 1


def test_a_model_that_guesses_is_called_a_failure():
    validation = {
        "cnn": Guessing(accuracy=0.5, p_value=0.528, at_chance=True),
        "xception": Guessing(accuracy=0.9, p_value=1e-9, at_chance=False),
    }
    failures = answered([evaluation("internal", 0.93, 0.92, 0.2)], validation).failures
    assert list(failures) == ["cnn"]
