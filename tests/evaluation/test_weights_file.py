"""The file of weights: read back as written, or refused in a line that names it."""

import json
from pathlib import Path

import pytest

from deepfake_ensemble.evaluation import weights_file
from deepfake_ensemble.foundation.errors import UserError
from errors_page import Documented

WEIGHTS = {
    "cnn": 0.1 + 0.2,
    "resnet50": 1 / 3,
    "xception": 0.2,
    "efficientnet_b4": 1 - 0.2 - 1 / 3 - (0.1 + 0.2),
}


def test_weights_come_back_with_all_digits_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "weights.json"
    weights_file.write(path, WEIGHTS)
    assert list(weights_file.read(path).items()) == list(WEIGHTS.items())
    assert json.loads(path.read_text()) == WEIGHTS


def test_a_weight_may_be_none_or_all(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text('{"cnn": 1, "xception": 0}')
    weights = weights_file.read(path)
    assert weights == {"cnn": 1.0, "xception": 0.0}
    assert all(isinstance(weight, float) for weight in weights.values())


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        weights_file.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "dvc repro" in message
    return message


def test_a_missing_file_is_named(tmp_path: Path, documented: Documented) -> None:
    line = refusal(tmp_path / "weights.json")
    assert "missing" in line
    documented("Tables between stages", "weights: missing", line)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "not JSON"),
        ('{"cnn": 1', "not JSON"),
        ("\x00", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "holds no weights"),
        ("{}", "holds no weights"),
        ("1", "holds no weights"),
        ('{"cnn": "1"}', "cnn: '1' is not a weight from 0 to 1"),
        ('{"a\\u007f": 2}', r"'a\\x7f': 2 is not a weight"),
        ('{"cnn": null}', "cnn: None is not a weight"),
        ('{"cnn": true}', "cnn: True is not a weight"),
        ('{"cnn": [1]}', r"cnn: \[1\] is not a weight"),
        ('{"cnn": NaN}', "cnn: nan is not a weight"),
        ('{"cnn": Infinity}', "cnn: inf is not a weight"),
        ('{"cnn": -0.5, "xception": 1.5}', "cnn: -0.5 is not a weight"),
        ('{"cnn": 1.0000001}', "cnn: 1.0000001 is not a weight"),
        ('{"cnn": 0.5, "xception": 0.49}', "the weights sum to 0.99, not 1"),
    ],
)
def test_other_content_is_refused(
    tmp_path: Path, content: str, complaint: str, documented: Documented
) -> None:
    path = tmp_path / "weights.json"
    path.write_text(content)
    with pytest.raises(UserError, match=complaint):
        weights_file.read(path)
    shown = (content if len(content) < 60 else f"{content[:9]}...").replace("\0", "\\0") or "nothing"
    documented("Tables between stages", f"weights: `{shown}`", refusal(path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_bytes(b"\xff\xfe{}")
    assert "not JSON" in refusal(path)


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        weights_file.write(tmp_path / "weights.json", {"cnn": float("nan")})
    assert list(tmp_path.iterdir()) == []
