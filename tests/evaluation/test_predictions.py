import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.evaluation.predictions import Predictions, aligned, read
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "test.csv"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def of(paths="ab", labels=(0, 1), p_fake=(0.25, 0.75)) -> Predictions:
    return Predictions(tuple(paths), np.array(labels), np.array(p_fake))


def test_what_was_written_is_read_back_in_order_and_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(1)
    p_fake = np.concatenate((rng.random(500), rng.random(500).astype(np.float32), [0.0, 1.0, 5e-324]))
    paths = [f'test/REAL/{i:04} ("{i % 10}", x).jpg' for i in range(len(p_fake))]
    labels = rng.integers(0, 2, len(p_fake))
    path = tmp_path / "test.csv"
    write_csv(path, ["path", "label", "p_fake"], zip(paths, labels, p_fake.tolist(), strict=True))

    got = read(path)

    assert got.paths == tuple(paths)
    assert got.labels.dtype == np.int64 and np.array_equal(got.labels, labels)
    assert got.p_fake.dtype == np.float64 and np.array_equal(got.p_fake, p_fake)


@pytest.mark.parametrize(
    ("case", "lines", "said"),
    [
        ("an empty file", [], "empty"),
        ("no rows", ["path,label,p_fake"], "no rows"),
        ("columns in another order", ["path,p_fake,label", "a,0.5,1"], "line 1: the header"),
        ("another column", ["path,label,p_fake,note", "a,1,0.5,x"], "line 1: the header"),
        ("a row cut off", ["path,label,p_fake", "a,1,0.5", "b,1"], "line 3: 2 fields"),
        ("an empty row", ["path,label,p_fake", "a,1,0.5", ""], "line 3: 0 fields"),
        ("no path", ["path,label,p_fake", ",1,0.5"], "line 2: the path is empty"),
        (
            "an image twice",
            ["path,label,p_fake", "a,1,0.5", "a,1,0.5"],
            "line 3: path 'a' occurs a second time",
        ),
        ("a label of 1.0", ["path,label,p_fake", "a,1.0,0.5"], "line 2: label '1.0'"),
        ("a label of 2", ["path,label,p_fake", "a,2,0.5"], "line 2: label '2'"),
        ("no probability", ["path,label,p_fake", "a,1,"], "line 2: p_fake ''"),
        ("a word for a probability", ["path,label,p_fake", "a,1,half"], "line 2: p_fake 'half'"),
        ("NaN", ["path,label,p_fake", "a,1,nan"], "line 2: p_fake 'nan'"),
        ("infinity", ["path,label,p_fake", "a,1,inf"], "line 2: p_fake 'inf'"),
        ("a probability above 1", ["path,label,p_fake", "a,1,1.0000001"], "line 2: p_fake '1.0000001'"),
        ("a negative probability", ["path,label,p_fake", "a,1,-0.1"], "line 2: p_fake '-0.1'"),
    ],
)
def test_a_malformed_table_is_refused_by_file_and_line_in_one_sentence(
    tmp_path, case, lines, said, documented
):
    path = table(tmp_path, *lines)
    with pytest.raises(UserError) as refusal:
        read(path)
    message = str(refusal.value)
    assert said in message and str(path) in message
    documented("Tables between stages", f"predictions: {case}", message)


def test_a_missing_or_binary_file_is_refused_by_name(tmp_path, documented):
    path = tmp_path / "val.csv"
    with pytest.raises(UserError, match=r"val\.csv: not found") as refusal:
        read(path)
    documented("Tables between stages", "predictions: missing", str(refusal.value))
    path.write_bytes(b"path,label,p_fake\n\xff\xfe,1,0.5\n")
    with pytest.raises(UserError, match=r"val\.csv: not a table") as refusal:
        read(path)
    documented("Tables between stages", "predictions: not text", str(refusal.value))


def test_aligned_predictions_share_paths_and_labels():
    together = aligned({"cnn": of(), "xception": of(p_fake=(0.5, 1.0))})
    assert together.paths == ("a", "b")
    assert together.labels.tolist() == [0, 1]
    assert {name: p.tolist() for name, p in together.p_fake.items()} == {
        "cnn": [0.25, 0.75],
        "xception": [0.5, 1.0],
    }


@pytest.mark.parametrize(
    ("case", "other", "said"),
    [
        ("other paths or another order", of(paths="ba"), "row 1: 'a' and 'b'"),
        ("missing rows", of(paths="abc", labels=(0, 1, 1), p_fake=(0, 1, 1)), "2 and 3 images"),
        ("other labels", of(labels=(0, 0)), r"row 2 \('b'\): 1 and 0"),
    ],
)
def test_predictions_of_other_images_are_refused_with_both_names(case, other, said, documented):
    with pytest.raises(UserError, match=f"cnn and xception differ.*{said}") as refusal:
        aligned({"cnn": of(), "resnet50": of(), "xception": other})
    documented("Tables between stages", f"predictions: two models with {case}", str(refusal.value))


def test_nothing_to_align_is_refused():
    with pytest.raises(UserError, match="no model"):
        aligned({})


def test_arithmetic_on_predictions_starts_without_the_heavy_libraries():
    code = (
        "import sys\n"
        "from deepfake_ensemble.evaluation import weighting\n"
        "from deepfake_ensemble.evaluation import metrics, predictions\n"
        "print(sorted({'scipy', 'sklearn', 'pandas', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
