"""Reading params.yaml: what is written is what is meant, and what cannot be meant is refused by name."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from annotated_types import Ge, Gt, Lt
from ruamel.yaml import YAML

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.section import section
from errors_page import Documented


@section
class Inner:
    share: Annotated[float, Ge(0), Lt(1)]
    momentum: Annotated[float, Gt(0)] | None


@section
class Outer:
    epochs: Annotated[int, Ge(1)]
    rate: Annotated[float, Gt(0)]
    fast: bool
    method: Literal["plain", "fancy"]
    splits: list[str]
    inner: Inner


PLAIN = "line 1: not as it should be: aliases and tags are not for this file, write the plain value"
GOOD = """\
epochs: 15
rate: 1.0e-4
fast: false
method: plain
splits: [train, val]
inner: {share: 0.25, momentum: null}
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "params.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def loaded(folder: Path, text: str) -> dict:
    return params.load(written(folder, text))


def outer(folder: Path, **replaced: str) -> Outer:
    """Read GOOD as a section, with some of its lines replaced."""
    lines = [line for line in GOOD.splitlines() if line.split(":")[0] not in replaced]
    text = "".join(f"  {line}\n" for line in [*lines, *replaced.values()] if line)
    return params.read("outer", Outer, written(folder, f"outer:\n{text}"))


def refusal(folder: Path, **replaced: str) -> str:
    with pytest.raises(UserError) as refused:
        outer(folder, **replaced)
    return str(refused.value).removeprefix(f"{folder / 'params.yaml'}: ")


def test_what_a_caller_does_to_what_was_loaded_is_not_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(GOOD)
    before = params.load(file)
    params.load(file)["inner"]["share"] = 0.75
    assert params.load(file) == before
    file.write_text(GOOD.replace("epochs: 15", "epochs: 16"))
    assert params.load(file) == before | {"epochs": 16}


def test_a_section_is_read_into_its_dataclass(tmp_path: Path) -> None:
    assert outer(tmp_path) == Outer(
        epochs=15,
        rate=1e-4,
        fast=False,
        method="plain",
        splits=["train", "val"],
        inner=Inner(share=0.25, momentum=None),
    )


@pytest.mark.parametrize(
    "number", ["2e-05", "2e-5", "2E-05", "2.0e-5", "0.00002", ".00002", "+2e-05", "2.e-5", "20.e-6"]
)
def test_every_way_to_write_a_float_is_the_float(tmp_path: Path, number: str) -> None:
    assert outer(tmp_path, rate=f"rate: {number}").rate == 2e-5


@pytest.mark.parametrize("value", [2.0e-5, 1e-10, 123456789.0, 1e22, 0.1, 3.0, 5e-324])
def test_what_dvc_writes_for_a_float_reads_back_the_same(tmp_path: Path, value: float) -> None:
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"rate": value}, file)  # `dvc exp run -S` writes by ruamel.yaml
    assert params.load(tmp_path / "params.yaml") == {"rate": value}


@pytest.mark.parametrize(
    ("written_as", "means"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("=", "="),
        ("010", 10),
        ("08", 8),
        ("-3", -3),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("1e5", 100000.0),
        ('"2e-05"', "2e-05"),
    ],
)
def test_values_mean_what_they_look_like(tmp_path: Path, written_as: str, means: object) -> None:
    value = loaded(tmp_path, f"key: {written_as}\n")["key"]
    assert (value, type(value)) == (means, type(means))


@pytest.mark.parametrize("value", ["no", "on", "y", "1:30", "010", "08", "1e5", "true", "~", "-3", ".5"])
def test_values_mean_what_they_mean_to_dvc(tmp_path: Path, value: str) -> None:
    text = f"key: {value}\n"
    assert loaded(tmp_path, text) == dict(YAML(typ="safe").load(text))


def test_keys_that_yaml_1_1_takes_for_truth_values_are_words(tmp_path: Path) -> None:
    assert loaded(tmp_path, "on: 1\nno: 2\n") == {"on": 1, "no": 2}
    assert yaml.safe_load("on: 1\nno: 2\n") == {True: 1, False: 2}  # what the loader is there to prevent


def test_an_integer_passes_for_a_float(tmp_path: Path) -> None:
    assert outer(tmp_path, rate="rate: 20").rate == 20.0


@pytest.mark.parametrize(
    ("key", "line", "message"),
    [
        ("epochs", "", "outer.epochs: missing"),
        (
            "epochs",
            "epochs: 0",
            "outer.epochs: 0 is not allowed: it should be greater than or equal to 1",
        ),
        ("epochs", "epochs: 1.0", "outer.epochs: 1.0 is not allowed: it should be a valid integer"),
        ("epochs", "epochs: true", "outer.epochs: true is not allowed: it should be a valid integer"),
        ("epochs", 'epochs: "15"', 'outer.epochs: "15" is not allowed: it should be a valid integer'),
        ("epochs", "epochs: 0o17", 'outer.epochs: "0o17" is not allowed: it should be a valid integer'),
        ("epochs", "epochs: null", "outer.epochs: null is not allowed: it should be a valid integer"),
        ("epoch", "epoch: 3", "outer.epoch: unknown key; did you mean epochs?"),
        (
            "colour",
            "colour: red",
            "outer.colour: unknown key; known are epochs, rate, fast, method, splits, inner",
        ),
        ("rate", "rate: 0", "outer.rate: 0 is not allowed: it should be greater than 0"),
        ("rate", "rate: .nan", "outer.rate: NaN is not allowed: it should be a finite number"),
        ("rate", "rate: .inf", "outer.rate: Infinity is not allowed: it should be a finite number"),
        ("rate", "rate: true", "outer.rate: true is not allowed: it should be a valid number"),
        ("fast", "fast: no", 'outer.fast: "no" is not allowed: it should be a valid boolean'),
        ("fast", "fast: 1", "outer.fast: 1 is not allowed: it should be a valid boolean"),
        (
            "method",
            "method: fanciest",
            """outer.method: "fanciest" is not allowed: it should be 'plain' or 'fancy'""",
        ),
        ("splits", "splits: train", 'outer.splits: "train" is not allowed: it should be a valid array'),
        ("splits", "splits: [1]", "outer.splits.0: 1 is not allowed: it should be a valid string"),
        ("inner", "inner: 3", "outer.inner: 3 is not allowed: it should be an object"),
        (
            "inner",
            "inner: {share: 1, momentum: 1}",
            "outer.inner.share: 1 is not allowed: it should be less than 1",
        ),
        (
            "inner",
            "inner: {share: 0, momentum: 0}",
            "outer.inner.momentum: 0 is not allowed: it should be greater than 0",
        ),
        (
            "inner",
            "inner: {shares: 0, momentum: 1}",
            "outer.inner.shares: unknown key; did you mean share?",
        ),
    ],
)
def test_a_refusal_names_the_key_the_value_and_what_is_allowed(
    tmp_path: Path, key: str, line: str, message: str
) -> None:
    assert refusal(tmp_path, **{key: line}) == message


def test_a_misspelt_key_is_one_problem_though_it_is_unknown_and_its_right_name_is_missing(
    tmp_path: Path,
) -> None:
    assert refusal(tmp_path, epochs="epoch: 15") == "outer.epoch: unknown key; did you mean epochs?"


def test_a_refusal_counts_what_else_is_wrong_and_problems_lists_it(tmp_path: Path) -> None:
    assert refusal(tmp_path, epochs="epochs: 0", fast="") == (
        "outer.epochs: 0 is not allowed: it should be greater than or equal to 1 (and 1 more)"
    )
    assert params.problems("inner", {"share": 2, "moment": 1}, Inner) == [
        "inner.share: 2 is not allowed: it should be less than 1",
        "inner.moment: unknown key; did you mean momentum?",
    ]
    assert params.problems("inner", {"share": 0, "momentum": 1}, Inner) == []


def test_a_refusal_is_one_line_however_long_and_strange_the_value(tmp_path: Path) -> None:
    line = refusal(tmp_path, method='method: "' + "long\\n" * 100 + '"', x='"two\\nlines": 1')
    assert len(line.splitlines()) == 1
    assert len(line) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no keys; restore it from git"),
        (b"- a\n- b\n", "holds no keys; restore it from git"),
        (b"just words", "holds no keys; restore it from git"),
        (b"a: 1\nb: [1\n", "line 3: not as it should be: expected ',' or ']', but got '<stream end>'"),
        (b"a:\n\t- 1\n", "line 2: not as it should be: found character '\\t' that cannot start any token"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: not as it should be: the key a stands twice"),
        (b"p:\n  a: 1\n  a: 1\n", "line 3: not as it should be: the key a stands twice"),
        (b"? [a, b]\n: 1\n", "line 1: not as it should be: a key is not a word"),
        (b"a: &x 1\nb: *x\n", PLAIN.replace("1", "2")),
        (b"a: &x [*x]\n", PLAIN),
        (b"a: !!float abc\n", PLAIN),
        (b"a: !!python/object/apply:os.system [x]\n", PLAIN),
        (b"a: " + b"9" * 5000, "line 1: not as it should be: an integer has too many digits"),
        (b"a: " + b"[" * 5000, "nested too deeply; restore it from git"),
        (b"a: \xff\n", "not UTF-8 text: invalid start byte at byte 3"),
        (b"a: \x00\n", "not as it should be: cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_the_line(
    tmp_path: Path, text: bytes, message: str, documented: Documented
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(UserError) as refused:
        params.load(file)
    assert str(refused.value) == f"{file}: {message}"
    shown = ascii(text if len(text) < 60 else text[:10] + b"...")[2:-1]
    documented("Parameters", f"the file is `{shown}`" if text else "the file is empty", str(refused.value))


def test_a_missing_file_says_where_to_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^params\.yaml: not found in .*; run from the project's folder$"):
        params.load()


def test_a_path_that_leads_nowhere_is_missing(tmp_path: Path) -> None:
    file = written(tmp_path, "a: {b: 1}\n")
    for path, named in (("a.c", "a.c"), ("x.y", "x"), ("a.b.c", "a.b.c")):
        with pytest.raises(UserError, match=f"params.yaml: {named}: missing$"):
            params.read(path, int, file)


def test_the_active_profile_must_be_one_of_the_profiles(tmp_path: Path) -> None:
    assert params.active_profile(written(tmp_path, "profile: a\nprofiles: {a: {}}\n")) == "profiles.a"
    for text in (
        "profile: b\nprofiles: {a: {}}\n",
        "profile: b\n",
        "profiles: {a: {}}\n",
        "profile: [a]\nprofiles: {a: {}}\n",
    ):
        with pytest.raises(UserError, match=r"profile: .* is not one of the profiles: (a|none)$"):
            params.active_profile(written(tmp_path, text))
