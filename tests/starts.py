"""The states of a folder from which the commands of docs/varying.md and docs/sharing.md are run."""

import hashlib
from typing import Any

from clones import Clone, ran

RESULTS = ("models", "predictions", "predictions_perturbed", "reports", "data")
# What trainings make, and what is made from that: a further newline gives other bytes, and no reader minds.
TRAINED = (
    "models/*.keras",
    "models/*.onnx",
    "models/curves/*/metrics.json",
    "predictions*/*/fingerprint.json",
)


def clean(there: Clone) -> None:
    """As committed."""


def changed(there: Clone) -> None:
    """With results of other params that are not committed, an edited file, and one that git does not know."""
    there.dvc("exp", "run", "--set-param", "evaluation.threshold=0.6", "report")
    with (there / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("An edit.\n")
    (there / "notes.txt").write_text("a note\n", encoding="utf-8")


def elsewhere(there: Clone) -> None:
    """With our own results, where another machine's are committed, whose trained bytes our cache has not."""
    for file in (file for pattern in TRAINED for file in there.folder.glob(pattern)):
        with file.open("ab") as trained:
            trained.write(b"\n")
    there.dvc("cache", "dir", "--quiet", "--local", str(there / ".dvc/tmp/our-cache"))
    there.dvc("commit", "--quiet", "--force")


ALL = (clean, changed, elsewhere)


def state(there: Clone) -> dict[str, Any]:
    """Return the digest of every file that a user could miss, and what dvc.lock says, in whatever order."""
    files = [there / name for name in ("params.yaml", "README.md", "notes.txt")]
    files += [file for folder in RESULTS for file in (there / folder).rglob("*")]
    digests = {
        str(file.relative_to(there.folder)): hashlib.md5(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }
    return {**digests, "dvc.lock": there.yaml("dvc.lock")}


def trained(log: str) -> list[str]:
    """Return what ran of the stages that train or predict."""
    return [
        name for name in ran(log) if name.partition("@")[0] in ("initialise", "train", "predict", "perturb")
    ]
