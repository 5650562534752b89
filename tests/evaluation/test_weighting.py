from itertools import product

import numpy as np
import pytest
from sklearn.metrics import log_loss

from deepfake_ensemble.evaluation.weighting import accuracy_shares, combine, weights
from deepfake_ensemble.foundation.errors import UserError

MODELS = ["cnn", "resnet50", "xception", "efficientnet_b4"]


def by_model(*values):
    return dict(zip(MODELS, values, strict=False))


def members(n, skills=(0.5, 1.0, 2.0, 1.5), shared=0.7, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    common = rng.normal(size=n)
    scores = [
        skill * (2 * labels - 1) + shared * common + np.sqrt(1 - shared**2) * rng.normal(size=n)
        for skill in skills
    ]
    return labels, by_model(*(1 / (1 + np.exp(-2 * score)) for score in scores))


def test_the_papers_worked_example():
    shares = accuracy_shares(by_model(95.0, 88.0, 97.0, 92.0))
    assert {name: round(share, 3) for name, share in shares.items()} == by_model(0.255, 0.237, 0.261, 0.247)
    assert sum(shares.values()) == pytest.approx(1)
    assert round(float(combine(shares, by_model(0.85, 0.78, 0.92, 0.81))), 3) == 0.842


def test_accuracy_weights_are_the_shares_of_right_answers_at_the_threshold():
    labels = np.array([0, 0, 1, 1])
    p_fake = {"good": np.array([0.1, 0.2, 0.5, 0.9]), "poor": np.array([0.5, 0.9, 0.4, 0.6])}
    assert weights("accuracy", labels, p_fake) == {"good": 0.8, "poor": 0.2}
    assert weights("accuracy", labels, p_fake, threshold=0.95) == {"good": 0.5, "poor": 0.5}


def test_accuracy_weights_are_refused_when_every_answer_is_wrong():
    labels = np.array([0, 1])
    with pytest.raises(UserError, match=r"ensemble\.weighting: no model"):
        weights("accuracy", labels, {"a": np.array([0.9, 0.1]), "b": np.array([0.8, 0.2])})


def test_uniform_weights_are_all_alike():
    labels, p_fake = members(10)
    assert weights("uniform", labels, p_fake) == dict.fromkeys(MODELS, 0.25)


def test_an_unknown_method_is_refused_with_what_is_allowed():
    with pytest.raises(UserError, match="'best' is not one of accuracy, uniform, log_loss"):
        weights("best", *members(10))


def test_log_loss_weights_beat_every_point_of_a_fine_grid():
    labels, p_fake = members(300, skills=(0.5, 1.0, 0.9))
    found = weights("log_loss", labels, p_fake)
    steps = 50
    grid = [(i, j, steps - i - j) for i, j in product(range(steps + 1), repeat=2) if i + j <= steps]
    losses = {
        point: log_loss(labels, combine(by_model(*(k / steps for k in point)), p_fake)) for point in grid
    }
    best = min(losses, key=losses.get)
    assert log_loss(labels, combine(found, p_fake)) <= losses[best] + 1e-12
    assert list(found.values()) == pytest.approx([k / steps for k in best], abs=1.5 / steps)


@pytest.mark.parametrize("shared", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("n", [5, 200, 5000])
def test_log_loss_weights_meet_the_conditions_of_a_minimum_on_the_simplex(n, shared):
    labels, p_fake = members(n, shared=shared, seed=n)
    found = np.array(list(weights("log_loss", labels, p_fake).values()))
    assert (found >= 0).all() and found.sum() == pytest.approx(1, abs=1e-15)
    q = np.stack([np.where(labels == 1, p, 1 - p) for p in p_fake.values()])
    gains = (q / (found @ q)).mean(axis=1)  # 1 where the weight is positive, at most 1 elsewhere
    assert (gains <= 1 + 1e-5).all()
    assert gains[found > 1e-4] == pytest.approx(1, abs=1e-4)


def test_log_loss_weights_are_found_for_certain_and_wrong_members():
    for seed in range(30):
        labels, p_fake = members(100, skills=(-1, 5, 0, 2), seed=seed)
        p_fake["cnn"] = np.round(p_fake["cnn"])
        p_fake["xception"] = np.round(p_fake["xception"])
        best = log_loss(labels, combine(weights("log_loss", labels, p_fake), p_fake))
        for alone in p_fake.values():
            assert best <= log_loss(labels, alone) + 1e-9
        assert best <= log_loss(labels, combine(weights("uniform", labels, p_fake), p_fake)) + 1e-9


def test_log_loss_gives_a_single_and_a_perfect_member_everything_and_twins_the_same():
    labels, p_fake = members(100)
    assert weights("log_loss", labels, {"cnn": p_fake["cnn"]}) == {"cnn": 1.0}
    assert weights("log_loss", labels, {**p_fake, "oracle": labels.astype(float)})["oracle"] == 1.0
    twins = weights("log_loss", labels, {"a": p_fake["cnn"], "b": p_fake["cnn"]})
    assert twins == {"a": 0.5, "b": 0.5}


def test_the_weighted_sum_stays_a_probability_and_needs_the_same_models():
    certain = by_model(*np.ones((4, 3)))
    assert combine(by_model(0.1, 0.2, 0.3, 0.4000000001), certain).tolist() == [1, 1, 1]
    with pytest.raises(UserError, match="weights are of cnn, predictions of resnet50"):
        combine({"cnn": 1.0}, {"resnet50": np.ones(3)})
