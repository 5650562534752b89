"""Generated parts of a Markdown file stand between comments; everything else stays as it was written."""

from pathlib import Path

import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow.generated import filled, table

FILE = Path("README.md")
TEXT = (
    "Before.\n<!-- a: made by x -->\nold\n<!-- end of a -->\n"
    "Between.\n<!-- b: made by y -->\n<!-- end of b -->\n"
)


def test_only_what_stands_between_a_part_s_comments_changes() -> None:
    assert filled(TEXT, {"a": "new\nlines", "b": "1"}, FILE) == (
        "Before.\n<!-- a: made by x -->\n\nnew\nlines\n\n<!-- end of a -->\n"
        "Between.\n<!-- b: made by y -->\n\n1\n\n<!-- end of b -->\n"
    )


def test_filling_again_changes_nothing() -> None:
    once = filled(TEXT, {"a": r"\1 $0"}, FILE)
    assert filled(once, {"a": r"\1 $0"}, FILE) == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- a: x -->\n",
        "<!-- end of a -->\n<!-- a: x -->\n",
        TEXT + TEXT,
        "<!-- a -->\n<!-- end of a -->\n",
    ],
)
def test_a_file_without_a_place_for_a_part_is_left_alone(text: str) -> None:
    with pytest.raises(
        UserError, match=r"^README\.md: it needs one <!-- a: \.\.\. --> and one <!-- end of a -->"
    ):
        filled(text, {"a": "new"}, FILE)


def test_a_table_s_numbers_stand_to_the_right() -> None:
    shown = table(["x", "n"], [["a", "1"], ["b", "22"]])
    assert shown.splitlines() == ["| x   |   n |", "|:----|----:|", "| a   |   1 |", "| b   |  22 |"]
