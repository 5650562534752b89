import json
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from deepfake_ensemble.comparison.calibration import with_temperature
from deepfake_ensemble.comparison.comparison import compare, cross_data_set
from deepfake_ensemble.comparison.intervals import METRICS, wilson
from deepfake_ensemble.comparison.paired import holm
from deepfake_ensemble.evaluation.metrics import log_losses, metrics
from deepfake_ensemble.evaluation.predictions import Predictions, aligned
from deepfake_ensemble.evaluation.weighting import combine, weights
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_result, write_json
from measuring import settings

SKILLS = {"cnn": 0.4, "resnet50": 0.8, "xception": 1.5, "efficientnet_b4": 1.1}


def predictions(labels, **p_fake):
    paths = tuple(f"{i}.jpg" for i in range(len(labels)))
    return {
        name: Predictions(paths, np.array(labels), np.array(p, dtype=float)) for name, p in p_fake.items()
    }


def members(n, seed, skills=SKILLS):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shared = rng.normal(size=n)
    return predictions(
        labels,
        **{
            name: expit(2 * (s * (2 * labels - 1) + shared + rng.normal(size=n)))
            for name, s in skills.items()
        },
    )


def shares_of(val):
    on_val = aligned(val)
    return weights("accuracy", on_val.labels, on_val.p_fake)


def compared(test, val, shares=None, **options):
    shares = shares_of(val) if shares is None else shares
    data_set = options.pop("data_set", "internal")
    return as_json(compare(aligned(test), aligned(val), shares, settings(**options), data_set=data_set))


def as_json(data):
    return json.loads(json.dumps(data, allow_nan=False, default=asdict))


@pytest.fixture(scope="module")
def four():
    test, val = members(240, 1), members(200, 2)
    return test, val, compared(test, val)


def leaves(data, place=""):
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{place}.{key}")
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from leaves(value, f"{place}[{i}]")
    else:
        yield place, data


def is_plain(data):
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    for place, value in leaves(data):
        assert value is None or isinstance(value, bool | int | float | str), place
    return True


def intervals_in(data):
    """Yield every figure with its interval."""
    if isinstance(data, dict):
        if {"value", "ci_low", "ci_high"} <= set(data):
            yield data
        else:
            for value in data.values():
                yield from intervals_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from intervals_in(value)


def test_the_figures_are_those_of_the_metrics_with_intervals_around_them(four):
    test, val, got = four
    p_fake = {name: of.p_fake for name, of in test.items()}
    p_fake["ensemble"] = combine(shares_of(val), p_fake)
    labels = test["cnn"].labels
    assert list(got["detectors"]) == [*SKILLS, "ensemble"]
    for name, p in p_fake.items():
        want = metrics(labels, p)
        assert list(got["detectors"][name]) == list(METRICS)
        for metric, figure in got["detectors"][name].items():
            assert figure["value"] == pytest.approx(getattr(want, metric), rel=1e-9)
        assert got["calibration"][name]["ece"] == pytest.approx(want.ece, rel=1e-9)
        assert got["calibration"][name]["brier"]["brier"] == pytest.approx(want.brier, rel=1e-9)
        default = got["operating_points"][name]["default"]
        assert default["true_positive_rate"]["value"] == pytest.approx(want.recall, rel=1e-9)
    assert (got["n"], got["n_real"], got["n_fake"]) == (240, 120, 120)
    assert got["unknown"] == {} and is_plain(got)


def test_every_interval_holds_its_figure(four):
    found = list(intervals_in(four[2]))
    assert len(found) > 300
    assert sum(figure["ci_low"] is None for figure in found) < 10
    for figure in found:
        if figure["ci_low"] is not None:
            assert figure["ci_low"] <= figure["value"] <= figure["ci_high"]


def test_the_ensemble_is_tested_against_each_member_and_they_among_themselves_in_families_of_their_own(four):
    pairs = four[2]["pairs"]
    assert len(pairs) == 10
    assert list(pairs)[:4] == [f"ensemble_vs_{name}" for name in SKILLS]
    for family, size in (("ensemble against members", 4), ("members among themselves", 6)):
        of_family = [of for of in pairs.values() if of["family"] == family]
        assert len(of_family) == size
        for test in ("mcnemar", "delong", "log_loss"):
            by_p = sorted((of[test]["p_value"], of[test]["p_holm"]) for of in of_family)
            assert by_p[0][1] == pytest.approx(min(1, size * by_p[0][0]), rel=1e-8)
            assert all(low[1] <= high[1] for low, high in pairwise(by_p))
            assert all(p <= holm <= 1 for p, holm in by_p)
    values = {name: of["auc"]["value"] for name, of in four[2]["detectors"].items()}
    for name, of in pairs.items():
        a, b = name.split("_vs_")
        assert of["difference"]["auc"] == of["delong"]["difference"]
        assert of["difference"]["auc"]["value"] == pytest.approx(values[a] - values[b], abs=1e-9)
    assert four[2]["cochrans_q"]["degrees_of_freedom"] == 3


def test_subsets_are_weighted_by_their_own_shares_of_accuracy(four):
    test, val, got = four
    found = got["complementarity"]["subsets"]
    assert len(found) == 15
    labels = test["cnn"].labels
    for name, of in found.items():
        names = name.split("+")
        shares = shares_of({n: val[n] for n in names})
        assert of["weights"] == pytest.approx(shares, rel=1e-9)
        p = combine(shares, {n: test[n].p_fake for n in names})
        assert of["metrics"]["auc"]["value"] == pytest.approx(metrics(labels, p).auc, rel=1e-9)
    everyone = found["+".join(SKILLS)]["metrics"]
    assert everyone == got["detectors"]["ensemble"] == got["weightings"]["accuracy"]["metrics"]
    rest = found["resnet50+xception+efficientnet_b4"]["metrics"]
    adds = got["complementarity"]["member_adds"]["cnn"]
    tests = [of["accuracy"]["contrast"] for of in got["complementarity"]["member_tests"].values()]
    assert [of["p_holm"] for of in tests] == pytest.approx(holm([of["p_value"] for of in tests]), rel=1e-8)
    assert {of["family"] for of in tests} == {4}
    assert adds["auc"]["value"] == pytest.approx(everyone["auc"]["value"] - rest["auc"]["value"], abs=1e-9)


def test_the_oracle_fails_where_all_fail(four):
    test, _, got = four
    labels = test["cnn"].labels
    wrong = sum((of.p_fake >= 0.5) != labels for of in test.values())
    by_wrong = got["complementarity"]["images_by_wrong_models"]
    assert by_wrong["all"] == {str(k): int((wrong == k).sum()) for k in range(5)}
    assert [by_wrong["real"][k] + by_wrong["fake"][k] for k in "01234"] == list(by_wrong["all"].values())
    oracle = wilson(240 - by_wrong["all"]["4"], 240)
    assert got["complementarity"]["oracle_accuracy"] == pytest.approx(vars(oracle), rel=1e-9)


def test_weightings_are_set_beside_uniform_weights(four):
    _, val, got = four
    on_val = aligned(val)
    for method, of in got["weightings"].items():
        assert of["weights"] == pytest.approx(weights(method, on_val.labels, on_val.p_fake), rel=1e-9)
    uniform = got["weightings"]["uniform"]
    assert (uniform["decisions_unlike_uniform"], uniform["largest_change_of_p_fake"]) == (0, 0)
    assert uniform["less_uniform"] is None
    assert got["weightings"]["log_loss"]["largest_change_of_p_fake"] > 0


def test_weights_by_accuracy_count_at_the_same_threshold_as_everything_else():
    test, val = members(60, 1), members(60, 2)
    on_val = aligned(val)
    got = compared(test, val, threshold=0.9)
    strict = weights("accuracy", on_val.labels, on_val.p_fake, threshold=0.9)
    assert got["weightings"]["accuracy"]["weights"] == pytest.approx(strict, rel=1e-9)
    assert strict != pytest.approx(shares_of(val), rel=1e-3)


def test_operating_points_are_chosen_on_validation_alone(four):
    test, val, got = four
    flipped = {name: Predictions(p.paths, 1 - p.labels, p.p_fake) for name, p in test.items()}
    other = compared(flipped, val)
    for name in got["operating_points"]:
        for point in ("youden", "fpr_1_percent"):
            thresholds = [of["operating_points"][name][point]["threshold"] for of in (got, other)]
            assert thresholds[0] == thresholds[1] is not None
        assert got["calibration"][name]["temperature"] == other["calibration"][name]["temperature"]
        assert got["operating_points"][name]["fpr_1_permille"] == {
            "threshold": None,
            "reason": "needs 1,000 real validation images, has 100",
        }


def test_the_same_seed_gives_the_same_bytes_and_another_data_set_other_resamples(four):
    test, val, got = four
    assert json.dumps(compared(test, val)) == json.dumps(got)
    for other in (compared(test, val, data_set="cifake"), compared(test, val, seed=7)):
        ours, theirs = (of["detectors"]["cnn"]["log_loss"] for of in (got, other))
        assert ours["value"] == theirs["value"] and ours["ci_low"] != theirs["ci_low"]


def test_what_is_written_is_read_back(tmp_path):
    labels = np.arange(12) % 2
    split = predictions(labels, right=labels, wrong=1 - labels, alike=np.full(12, 0.5))
    measured = settings(seed=1, resamples=100)
    subjects = ["real cat" if label == 0 else None for label in labels]
    shares, split = shares_of(split), aligned(split)
    one = compare(split, split, shares, measured, data_set="internal")
    other = cross_data_set(split, split, shares, measured, names=("a", "b"), subjects=subjects)
    for result in (one, other):
        write_json(tmp_path / "result.json", result)
        assert read_result(tmp_path / "result.json", type(result)) == result


def test_all_right_all_wrong_and_all_alike_give_answers_without_nan():
    labels = np.arange(12) % 2
    test = predictions(
        labels, right=labels, wrong=1 - labels, alike=np.full(12, 0.5), other=labels * 0.8 + 0.1
    )
    got = compared(test, test)
    assert is_plain(got)
    assert "right" in got["unknown"]["average_precision"]
    assert got["pairs"]["right_vs_wrong"]["delong"]["p_value"] is None
    assert "neither AUC varies" in got["pairs"]["right_vs_wrong"]["delong"]["reason"]
    assert got["pairs"]["right_vs_wrong"]["odds_ratio"]["reason"]
    assert got["pairs"]["right_vs_other"]["mcnemar"]["p_value"] is None
    assert (
        got["pairs"]["right_vs_other"]["delong"]["reason"] == "both rank all pairs of a fake and a real alike"
    )
    assert all(
        of["p_holm"] is None for of in (got["pairs"]["right_vs_other"][t] for t in ("mcnemar", "delong"))
    )
    assert got["complementarity"]["pairs"]["right_vs_wrong"]["error_correlation"] is None
    assert got["complementarity"]["subsets"]["wrong"]["metrics"] is None
    assert got["calibration"]["right"]["temperature"] is None and got["calibration"]["right"]["reason"]


def test_weights_that_accuracy_cannot_give_are_null_with_a_reason():
    labels = np.arange(6) % 2
    test = predictions(labels, a=1 - labels, b=0.8 - 0.6 * labels)
    got = compared(test, test, shares={"a": 0.5, "b": 0.5})
    assert is_plain(got)
    assert got["weightings"]["accuracy"]["weights"] is None and got["weightings"]["accuracy"]["reason"]
    assert got["complementarity"]["member_adds"] == {"a": None, "b": None}
    assert got["detectors"]["ensemble"]["accuracy"]["value"] == 0


def test_one_image_of_each_class_gives_answers_and_one_image_a_refusal():
    test = predictions([0, 1], a=[0.2, 0.7], b=[0.6, 0.4])
    got = compared(test, test)
    assert is_plain(got)
    assert got["pairs"]["ensemble_vs_a"]["delong"]["reason"] == "needs two images of each class"
    one = predictions([1], a=[0.7], b=[0.4])
    for broken in ((one, test), (test, one)):
        with pytest.raises(UserError, match="all 1 images are fake"):
            compared(*broken, shares={"a": 0.5, "b": 0.5})


def test_a_single_model_and_a_fifth_are_compared_too():
    alone = {"cnn": 1.0}
    got = compared(members(40, 1, alone), members(40, 2, alone))
    assert is_plain(got) and list(got["pairs"]) == ["ensemble_vs_cnn"] and got["cochrans_q"] is None
    five = {**SKILLS, "vit": 1.0}
    got = compared(members(40, 1, five), members(40, 2, five), resamples=100)
    assert is_plain(got) and len(got["complementarity"]["subsets"]) == 31


def test_models_that_saw_other_images_are_refused():
    test, val = members(20, 1), members(20, 2)
    test["cnn"] = members(18, 1)["cnn"]
    with pytest.raises(UserError, match="cnn and resnet50"):
        compared(test, val)
    with pytest.raises(UserError, match="weights are of cnn, predictions of"):
        compared(members(20, 1), val, shares={"cnn": 1.0})


def crossed(internal, outside, shares, subjects, **options):
    names = ("internal", "cifake")
    splits = aligned(internal), aligned(outside)
    return as_json(cross_data_set(*splits, shares, settings(**options), names=names, subjects=subjects))


def test_the_drop_repeats_both_comparisons_and_spans_their_difference(four):
    internal, val, compared_internal = four
    outside = members(200, 3, {name: s / 3 for name, s in SKILLS.items()})
    shares = shares_of(val)
    subjects = ["cat" if i < 100 else "truck" for i in range(200)]
    got = crossed(internal, outside, shares, subjects)
    compared_outside = compared(outside, val, data_set="cifake")
    assert is_plain(got)
    for name, of in got["drops"].items():
        for metric, figure in of.items():
            assert figure["internal"] == compared_internal["detectors"][name][metric]
            assert figure["outside"] == compared_outside["detectors"][name][metric]
            assert figure["drop"]["value"] == pytest.approx(
                figure["internal"]["value"] - figure["outside"]["value"], abs=1e-9
            )
    # Of unlike images: variances add.
    wide = {k: f["ci_high"] - f["ci_low"] for k, f in got["drops"]["ensemble"]["accuracy"].items()}
    assert wide["drop"] == pytest.approx(np.hypot(wide["internal"], wide["outside"]), rel=0.05)


def test_the_rival_is_the_best_on_validation_whatever_the_test_images_say(four):
    test, val, got = four
    on_val = {name: metrics(of.labels, of.p_fake) for name, of in val.items()}
    for metric, sign in (("accuracy", 1), ("auc", 1), ("log_loss", -1)):
        rival = max(SKILLS, key=lambda name: sign * getattr(on_val[name], metric))
        finding = got["question"][metric]
        assert finding["contrast"]["second"] == rival
        tests = got["pairs"][f"ensemble_vs_{rival}"]
        key = {"accuracy": "mcnemar", "auc": "delong", "log_loss": "log_loss"}[metric]
        assert finding["contrast"]["p_holm"] == tests[key]["p_holm"]
        assert finding["contrast"]["family"] == 4
    # With the best detector's validation spoilt, another is the rival, though that is the best here still.
    spoilt = val | {"xception": Predictions(val["cnn"].paths, val["cnn"].labels, 1 - val["xception"].p_fake)}
    other = compared(test, spoilt)
    assert other["question"]["auc"]["contrast"]["second"] == "efficientnet_b4"
    assert other["best_here"]["auc"] == "xception"


def test_the_best_member_on_test_images_is_too_good_the_best_on_validation_is_not():
    """Of four equal detectors with an accuracy of 0.9, on 240 images: by simulation."""
    rng = np.random.default_rng(0)
    val, test = (rng.binomial(240, 0.9, (4000, 4)) / 240 for _ in range(2))
    chosen_on_test = test.max(axis=1).mean() - 0.9
    chosen_on_val = test[np.arange(4000), val.argmax(axis=1)].mean() - 0.9
    assert chosen_on_test == pytest.approx(0.019, abs=0.003) and abs(chosen_on_val) < 0.002


def test_the_best_weights_are_used_on_images_that_they_were_not_chosen_on(four):
    best = four[2]["best_weights"]
    assert len(best["halves"]) == 2
    for half in best["halves"]:
        assert sum(half.values()) == pytest.approx(1, abs=1e-9)
    # Of members that only guess, no weights are better than equal ones, however well they fit.
    none = dict.fromkeys("abcdef", 0.0)
    rng = np.random.default_rng(0)
    gains = [
        compared(members(60, [1, seed], none), members(60, [2, seed], none), resamples=100)["best_weights"]
        for seed in rng.integers(0, 10**6, 10).tolist()
    ]
    assert np.mean([of["less_uniform"]["log_loss"]["contrast"]["gain"]["value"] for of in gains]) < 0


def test_the_oracle_of_coins_and_the_error_of_right_probabilities_stand_beside(four):
    got = four[2]
    assert got["complementarity"]["oracle_of_coins"] == 0.9375
    for of in got["calibration"].values():
        assert 0 < of["ece_if_calibrated"]["mean"] < of["ece_if_calibrated"]["at_most"]


def test_one_bound_for_probabilities_is_used_before_scaling_and_after():
    """A certain error costs the same with the temperature 1 as without one."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    p = expit(2 * (2 * labels - 1) + 2 * rng.normal(size=400))
    p[0] = 1.0
    for smallest, cost in ((2.0**-52, 36.04), (1e-6, 13.82)):
        assert log_losses(labels, p, smallest)[0] == pytest.approx(cost, abs=0.01)
        scaled = with_temperature(p, 1.0, smallest)
        assert log_losses(labels, scaled, smallest).mean() == pytest.approx(
            log_losses(labels, p, smallest).mean()
        )
        got = compared(
            predictions(labels, a=p, b=p), predictions(labels, a=p, b=p), smallest_probability=smallest
        )
        assert got["calibration"]["a"]["log_loss"] == pytest.approx(log_losses(labels, p, smallest).mean())


def test_each_subject_has_the_metrics_of_its_own_images():
    outside = members(60, 3)
    subjects = [("cat", "truck", None)[i % 3] for i in range(60)]
    shares = dict.fromkeys(SKILLS, 0.25)
    got = crossed(members(40, 1), outside, shares, subjects)
    assert list(got["subjects"]) == ["cat", "truck"] and got["without_subject"] == 20
    for i, subject in enumerate(("cat", "truck")):
        of = got["subjects"][subject]
        assert (of["n_real"], of["n_fake"], of["reason"], of["constant"]) == (10, 10, None, 0.5)
        xception = outside["xception"]
        want = metrics(xception.labels[i::3], xception.p_fake[i::3])
        assert of["detectors"]["xception"]["auc"]["value"] == pytest.approx(want.auc)
        assert list(of["detectors"]) == [*SKILLS, "ensemble"]


def test_subjects_of_one_class_or_unknown_ones_have_no_figures():
    outside = members(40, 3)
    shares = dict.fromkeys(SKILLS, 0.25)
    by_class = ["real cat" if label == 0 else "fake dog" for label in outside["cnn"].labels]
    got = crossed(members(40, 1), outside, shares, by_class)
    assert got["subjects"]["real cat"]["detectors"] is None
    assert got["subjects"]["real cat"]["reason"] == "there are no fake images of it"
    assert got["subjects"]["fake dog"]["reason"] == "there are no real images of it"
    assert crossed(members(40, 1), outside, shares, [None] * 40)["subjects"] == {}
