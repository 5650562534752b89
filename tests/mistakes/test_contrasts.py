"""Right and wrong images of a class beside each other, measure by measure."""

import numpy as np
import pytest

from deepfake_ensemble.comparison.paired import holm
from deepfake_ensemble.mistakes.contrasts import FIFTHS, look

RNG = np.random.default_rng(1)
N = 400
LABELS = np.arange(N) % 2
WRONG = RNG.random(N) < 0.3
SUBJECTS = [("cat", "dog")[i // 2 % 2] for i in range(N)]
MEASURED = {"planted": RNG.normal(size=N) + 2 * (WRONG & (LABELS == 0)), "noise": RNG.normal(size=N)}
FOUND = look(LABELS, WRONG, MEASURED, SUBJECTS)


def test_what_was_planted_in_the_wrong_images_of_one_class_is_found_there_alone():
    planted = FOUND.classes["real"].contrasts["planted"]
    assert planted.wrong_has_more.ci_low > 0.85 and planted.p_holm < 1e-10
    others = [
        FOUND.classes["fake"].contrasts["planted"],
        *(of.contrasts["noise"] for of in FOUND.classes.values()),
    ]
    assert all(other.p_holm > 0.05 for other in others)


def test_the_area_is_the_share_of_pairs_in_which_the_wrong_image_has_more():
    real = LABELS == 0
    wrong, right = MEASURED["planted"][real & WRONG], MEASURED["planted"][real & ~WRONG]
    pairs = (wrong[:, None] > right[None, :]).mean()
    found = FOUND.classes["real"].contrasts["planted"]
    assert found.wrong_has_more.value == pytest.approx(pairs)
    assert (found.right, found.wrong) == (np.median(right), np.median(wrong))


def test_images_and_mistakes_are_counted_by_class_and_by_subject():
    for label, kind in enumerate(("real", "fake")):
        group = FOUND.classes[kind]
        assert (group.images, group.wrong) == (N // 2, WRONG[label == LABELS].sum())
        assert sum(FOUND.subjects[subject][kind].wrong for subject in ("cat", "dog")) == group.wrong


@pytest.mark.parametrize(
    "groups", [FOUND.classes.values(), [g for of in FOUND.subjects.values() for g in of.values()]]
)
def test_holm_s_correction_is_for_all_tests_of_a_table(groups):
    tests = [contrast for group in groups for contrast in group.contrasts.values()]
    assert [test.p_holm for test in tests] == holm([test.p_value for test in tests])


def test_fifths_go_from_the_least_to_the_most_and_hold_all_images():
    shares = FOUND.wrong_by_fifth["real"]["planted"]
    values = [share.value for share in shares]
    assert len(shares) == FIFTHS and values[-1] > 0.8 and values[0] < 0.2
    assert np.mean(values) == pytest.approx(WRONG[LABELS == 0].mean())


def test_where_nothing_is_wrong_nothing_is_told():
    found = look(LABELS, np.zeros(N, bool), MEASURED, SUBJECTS).classes["real"].contrasts["noise"]
    assert (found.wrong, found.wrong_has_more, found.p_value, found.p_holm) == (None,) * 4
    assert found.right is not None


def test_a_measure_that_does_not_vary_shows_nothing():
    found = look(LABELS, WRONG, {"flat": np.ones(N)}, SUBJECTS).classes["fake"].contrasts["flat"]
    assert (found.wrong_has_more.value, found.p_value) == (0.5, 1)


def test_images_that_show_nothing_known_are_in_their_class_and_no_subject():
    assert look(LABELS, WRONG, MEASURED, [None] * N).subjects == {}
