import pytest

from deepfake_ensemble.pages.numbers import (
    count,
    decimals,
    difference,
    given,
    p_value,
    percent,
    plain,
    points,
    share,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (share(0.92083), "0.921"),
        (share(0.92083, 4), "0.9208"),
        (percent(0.92083), "92.1\xa0%"),
        (percent(0.92083, 4), "92.08\xa0%"),
        (points(0.0292), "+2.9"),
        (points(-0.0292), "−2.9"),
        (points(-0.0292, sign="minus"), "−2.9"),
        (points(0.0292, sign="minus"), "2.9"),
        (points(-0.0292, sign="never"), "2.9"),
        (points(-0.0001), "0.0"),
        (difference(-0.0142), "−0.014"),
        (count(20000), "20,000"),
        (p_value(0.0009), "<\xa00.001"),
        (p_value(0.0312), "0.031"),
        (p_value(1.0), "1"),
        (given(2e-05), "2e-05"),
        (plain(21.5), "21.5"),
        (plain(1183.2133), "1183"),
        (plain(0.8849), "0.885"),
        (plain(1.778), "1.78"),
        (plain(9.9999), "10.00"),
        (plain(-28.75), "−28.8"),
        (plain(6.0), "6"),
        (plain(3.2e-7), "3.20e−07"),
    ],
)
def test_figures_are_shown_as_readers_expect_them(number, text):
    assert number.text == text


def test_many_images_earn_another_decimal():
    assert (decimals(240), decimals(20_000)) == (3, 4)
