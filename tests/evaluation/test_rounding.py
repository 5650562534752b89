import json
from dataclasses import dataclass

import numpy as np
import pytest

from deepfake_ensemble.evaluation.rounding import rounded


@dataclass(frozen=True)
class Figure:
    value: float
    n: int


def test_floats_keep_ten_significant_digits_and_everything_else_is_kept():
    data = {
        "a": Figure(2 / 3, 7),
        2: [1e-20 / 3, None, True, "x"],
        "c": (np.float64(12345678.9123456), np.int64(4)),
    }
    assert rounded(data) == {
        "a": Figure(0.6666666667, 7),
        "2": [3.333333333e-21, None, True, "x"],
        "c": [12345678.91, 4],
    }
    assert json.loads(json.dumps(rounded({"curve": np.array([[0.5, 1 / 3]])}))) == {
        "curve": [[0.5, 0.3333333333]]
    }


def test_a_last_bit_does_not_change_the_bytes():
    assert json.dumps(rounded(0.1 + 0.2)) == json.dumps(rounded(0.3))
    assert json.dumps(rounded([-0.0])) == "[0.0]"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float64("nan")])
def test_what_json_cannot_say_is_refused_with_its_place(bad):
    with pytest.raises(ValueError, match=r"pairs\.cnn\[1\]\.value is (nan|inf)"):
        rounded({"pairs": {"cnn": [0.5, Figure(bad, 1)]}})
