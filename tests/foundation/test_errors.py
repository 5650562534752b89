"""What commands say of an error."""

import pytest

from deepfake_ensemble.foundation.errors import first_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one thing"), "one thing"),
        (ValueError("\n one thing\nand what led to it"), "one thing"),
        (ValueError(), "ValueError"),
        (ValueError("\n"), "ValueError"),
        (TimeoutError(""), "TimeoutError"),
    ],
)
def test_an_error_is_told_in_one_line_also_where_it_says_nothing(error: Exception, said: str) -> None:
    assert first_line(error) == said
