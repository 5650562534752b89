"""Figures drawn side by side are those drawn one after the other."""

import multiprocessing
import os

import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.studies.ensemble.report.side_by_side import side_by_side


@pytest.mark.parametrize("of", [["a"], ["a", "b"], ["a", "b", "c", "d"]])
def test_each_is_drawn_in_its_place(of):
    assert side_by_side(lambda name: f"<svg>{name}</svg>", of) == [f"<svg>{name}</svg>" for name in of]


def test_each_is_drawn_in_a_process_of_its_own_and_the_first_in_this_one():
    drawn_in = side_by_side(lambda _: str(os.getpid()), range(3))
    assert drawn_in[0] == str(os.getpid())
    assert len(set(drawn_in)) == 3


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_of_one_that_cannot_be_drawn_the_reason_arrives_and_none_is_left(refused):
    def draw(number: int) -> str:
        if number == refused:
            raise UserError(f"{number} cannot be drawn")
        return "x" * 2**20

    with pytest.raises(UserError, match=f"^{refused} cannot be drawn$"):
        side_by_side(draw, range(3))
    assert multiprocessing.active_children() == []
