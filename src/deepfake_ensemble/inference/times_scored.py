"""How often the test images were shown to finished models: the less, the more their scores are worth."""

from pathlib import Path

LOG = Path("measured/scored.tsv")  # beside what stopwatch.py writes, but no dep of a training


def note(profile: str, run: str, digest: str) -> None:
    """Add a line to the log: the model of this digest was shown the test images (once more)."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as file:
        file.write(f"{profile}\t{run}\t{digest}\n")


def digests(profile: str, run: str) -> list[str]:
    """Return the models of a run, each of a training of its own, that were shown the test images here."""
    lines = LOG.read_text(encoding="utf-8").splitlines() if LOG.exists() else []
    start = f"{profile}\t{run}\t"
    return sorted({line.removeprefix(start) for line in lines if line.startswith(start)})
