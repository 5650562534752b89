"""A snapshot is the tree as it is, and taking it changes nothing."""

from pathlib import Path

from deepfake_ensemble.cluster import snapshots
from toy_study import Toy


def test_it_holds_changes_that_are_not_committed_and_nothing_that_git_ignores(
    toy: Toy, tmp_path: Path
) -> None:
    (toy / "new.py").write_text("new\n")
    (toy / "step.py").write_text("changed\n")
    (toy / "dvc.yaml").unlink()
    (toy / ".dvc/config.local").write_text("['remote \"r\"']\n    password = hidden\n")
    snapshot = snapshots.take(toy.folder, tmp_path / "store")
    snapshots.bundle(tmp_path / "store", tmp_path)
    assert b"hidden" not in (tmp_path / snapshots.BUNDLE).read_bytes()
    snapshots.clone(tmp_path / snapshots.BUNDLE, snapshot, tmp_path / "clone")
    there = tmp_path / "clone"
    assert (there / "new.py").read_text() == "new\n"
    assert (there / "step.py").read_text() == "changed\n"
    assert not (there / "dvc.yaml").exists()
    assert not (there / "models").exists() and not (there / ".dvc/config.local").exists()


def test_refs_index_and_tree_stay_as_they_are(toy: Toy, tmp_path: Path) -> None:
    (toy / "staged.py").write_text("staged\n")
    toy.git("add", "staged.py")

    def state() -> list[object]:
        return [
            toy.git("for-each-ref"),
            toy.git("count-objects", "-v"),
            toy.git("status", "--porcelain"),
            (toy / ".git/index").read_bytes(),
        ]

    toy.git("status")
    before = state()
    snapshots.take(toy.folder, tmp_path / "store")
    assert state() == before


def test_the_same_tree_is_the_same_commit(toy: Toy, tmp_path: Path) -> None:
    one = snapshots.take(toy.folder, tmp_path / "one")
    assert snapshots.take(toy.folder, tmp_path / "other") == one
    (toy / "new.py").touch()
    assert snapshots.take(toy.folder, tmp_path / "one") != one
