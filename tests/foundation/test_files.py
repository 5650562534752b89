"""Files are complete or absent, failures keep what was there before, and the bytes are always the same."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deepfake_ensemble.foundation import files
from deepfake_ensemble.foundation.errors import UserError


class Interrupted(BaseException):
    """Like KeyboardInterrupt: not even an Exception."""


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_new_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with files.replacing_file(path) as partial:
        partial.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert everything_in(tmp_path) == {"out.bin": b"new"}


def test_missing_folders_on_the_way_are_made(tmp_path: Path) -> None:
    with files.replacing_file(tmp_path / "a" / "b" / "out.bin") as partial:
        partial.write_bytes(b"new")
    with files.replacing_folder(tmp_path / "c" / "d" / "out") as folder:
        (folder / "file").write_bytes(b"new")
    assert everything_in(tmp_path) == {"a/b/out.bin": b"new", "c/d/out/file": b"new"}


@pytest.mark.parametrize("failure", [ValueError, OSError, Interrupted])
def test_a_failure_keeps_the_old_file_and_no_partial_one(tmp_path: Path, failure: type) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(failure), files.replacing_file(path) as partial:
        partial.write_bytes(b"half of the n")
        raise failure
    assert everything_in(tmp_path) == {"out.bin": b"old"}


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    def killed(write: Callable) -> None:
        manager = write()
        target = manager.__enter__()  # a killed process never leaves the block
        (target / "stale" if target.is_dir() else target).write_bytes(b"half")

    killed(lambda: files.replacing_file(tmp_path / "file"))
    killed(lambda: files.replacing_folder(tmp_path / "folder"))
    with files.replacing_file(tmp_path / "file") as partial:
        assert not partial.exists()
        partial.write_bytes(b"whole")
    with files.replacing_folder(tmp_path / "folder") as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").write_bytes(b"whole")
    assert everything_in(tmp_path) == {"file": b"whole", "folder/file": b"whole"}


def test_a_linked_file_is_replaced_not_written_through(tmp_path: Path) -> None:
    # DVC may link an out to its cache; writing through the link would damage the cache.
    cached = tmp_path / "cache"
    cached.write_bytes(b"cached")
    for kind, link in (("hard", Path.hardlink_to), ("symbolic", Path.symlink_to)):
        path = tmp_path / kind
        link(path, cached)
        with files.replacing_file(path) as partial:
            partial.write_bytes(b"new")
        assert path.read_bytes() == b"new"
        assert not path.is_symlink()
    assert cached.read_bytes() == b"cached"


def old_folder(path: Path) -> None:
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file").write_bytes(b"old")
    (path / "only-here").write_bytes(b"old")


def test_a_new_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    old_folder(path)
    with files.replacing_folder(path) as folder:
        (folder / "file").write_bytes(b"new")
        assert everything_in(path) == {"inner/file": b"old", "only-here": b"old"}
    assert everything_in(tmp_path) == {"out/file": b"new"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("failure", [ValueError, OSError, Interrupted])
def test_a_failure_keeps_the_old_folder_and_no_partial_one(tmp_path: Path, failure: type) -> None:
    path = tmp_path / "out"
    old_folder(path)
    with pytest.raises(failure), files.replacing_folder(path) as folder:
        (folder / "file").write_bytes(b"half")
        raise failure
    assert everything_in(tmp_path) == {"out/inner/file": b"old", "out/only-here": b"old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_kill_never_leaves_half_of_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    old_folder(path)
    removed = files.shutil.rmtree

    def seen(folder: Path, *args, **kwargs) -> None:
        # Whatever is removed bit by bit must not stand under the result's name while that happens.
        assert folder != path
        removed(folder, *args, **kwargs)

    monkeypatch.setattr(files.shutil, "rmtree", seen)
    with files.replacing_folder(path) as folder:
        (folder / "file").write_bytes(b"new")
    assert everything_in(tmp_path) == {"out/file": b"new"}


def test_json_keeps_the_order_of_keys_and_ends_with_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    files.write_json(path, {"b": 0.1, "a": [1, None, "ä"]})
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert list(json.loads(path.read_text(encoding="utf-8")).items()) == [("b", 0.1), ("a", [1, None, "ä"])]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_without_a_meaning_is_refused_and_the_old_file_stays(tmp_path: Path, value: float) -> None:
    path = tmp_path / "data.json"
    files.write_json(path, {"f1": 1.0})
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(path, {"f1": value})
    assert json.loads(path.read_text()) == {"f1": 1.0}
    assert list(tmp_path.iterdir()) == [path]


def test_tables_have_unix_line_ends_and_all_digits(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    files.write_csv(path, ("path", "p"), [("a, b.jpg", 0.1 + 0.2), ('"', 1e-30)])
    assert path.read_bytes() == b'path,p\n"a, b.jpg",0.30000000000000004\n"""",1e-30\n'


def test_a_table_whose_rows_fail_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        files.write_csv(tmp_path / "table.csv", ("x",), ((1 / x,) for x in (2, 1, 0)))
    assert list(tmp_path.iterdir()) == []


def test_the_check_sum_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"deepfake" * 100_000)
    assert files.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Share:
    """Something a result holds."""

    value: float
    reason: str | None


def test_a_result_is_read_back_as_what_was_written(tmp_path: Path) -> None:
    written = {"a": Share(0.1, None), "b": Share(1, "why")}
    files.write_json(tmp_path / "result.json", written)
    assert json.loads((tmp_path / "result.json").read_text())["a"] == {"value": 0.1, "reason": None}
    assert files.read_result(tmp_path / "result.json", dict[str, Share]) == written


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", r"not JSON \(.*\)"),
        (b"\xff", r"not JSON \(.*\)"),
        (b"[]", "Input should be an object"),
        (b'{"a": {"value": 1}}', "a: reason: Field required"),
        (b'{"a": {"value": "1", "reason": null}}', "a: value: Input should be a valid number"),
        (b'{"\\u001b": {"value": true, "reason": null}}', r"\\x1b: value: Input should be a valid number"),
    ],
)
def test_a_damaged_result_is_named_with_the_place(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"result.json: {complaint}; restore it from git, or run `dvc repro`"):
        files.read_result(path, dict[str, Share])


def test_a_missing_result_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"result\.json: missing; `dvc repro` makes it"):
        files.read_result(tmp_path / "result.json", dict[str, Share])
