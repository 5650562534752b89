"""The working tree as it is, as a commit that can travel: refs, index and work tree stay untouched."""

import tempfile
from pathlib import Path

from deepfake_ensemble.cluster.orders import tool
from deepfake_ensemble.foundation.files import replacing_file

BUNDLE = "snapshots.bundle"

# The same tree gives the same commit, whoever takes it and whenever: that is how answers are found again.
_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "snapshot"), ("EMAIL", "snapshot"), ("DATE", "2000-01-01T00:00:00Z"))
}


def take(project: Path, store: Path) -> str:
    """Keep the repository's files, without ignored ones, as a commit without history; return its name.

    Args:
        project: a folder in the repository.
        store: a bare repository that gets all that is new; made where it is missing.
    """
    top = Path(tool(project, "git", "rev-parse", "--show-toplevel").strip())
    objects = Path(tool(top, "git", "rev-parse", "--git-path", "objects").strip())
    _read_also(store, (top / objects).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        environment = _NOBODY | {
            "GIT_DIR": str(store.resolve()),
            "GIT_WORK_TREE": str(top),
            "GIT_INDEX_FILE": str(Path(scratch) / "index"),
        }
        tool(top, "git", "add", "--all", environment=environment)
        tree = tool(top, "git", "write-tree", environment=environment).strip()
        commit = tool(top, "git", "commit-tree", tree, "-m", "Snapshot", environment=environment).strip()
    tool(store, "git", "update-ref", f"refs/heads/{commit}", commit)
    return commit


def bundle(store: Path, folder: Path) -> None:
    """Write all snapshots of a store into one file of `folder`."""
    with replacing_file(folder / BUNDLE) as partial:
        tool(store, "git", "bundle", "create", "--quiet", str(partial.resolve()), "--all")


def clone(bundled: Path, commit: str, folder: Path) -> None:
    """Check a snapshot out into a new folder."""
    tool(
        bundled.parent,
        "git",
        "clone",
        "--quiet",
        "--no-checkout",
        str(bundled.resolve()),
        str(folder.resolve()),
    )
    tool(folder, "git", "checkout", "--quiet", "--detach", commit)


def _read_also(store: Path, objects: Path) -> None:
    """Let a store, made where it is missing, use the objects of a repository."""
    if not store.exists():
        store.parent.mkdir(parents=True, exist_ok=True)
        tool(store.parent, "git", "init", "--quiet", "--bare", str(store.resolve()))
    alternates = store / "objects/info/alternates"
    known = alternates.read_text(encoding="utf-8").splitlines() if alternates.exists() else []
    alternates.write_text("".join(f"{line}\n" for line in dict.fromkeys([*known, str(objects)])), "utf-8")
