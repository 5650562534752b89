"""Write docs/performance.md from what the benchmarks measured: the last step of `make bench`.

    python benchmarks/performance_page.py

A section for each file in docs/measurements that one of the benchmarks below has written, by its own `page`,
and what the study would cost by them.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

from deepfake_ensemble.foundation.files import read_json, replacing_file
from deepfake_ensemble.workflow import estimate
from harness import FOLDER

PAGE = Path("docs/performance.md")
# Benchmark → the title of its section.
SECTIONS = {
    "reading": "Reading training batches",
    "feeding": "Feeding the training step",
    "predicting": "Predicting",
    "training_cost": "Training",
    "precision": "Precision and XLA",
    "comparing": "Comparing detectors",
    "turnaround": "Waiting for a result",
    "use": "Classifying images",
}
HEAD = """\
# Performance

Written by `make bench` from what the programs in `benchmarks/` measured (`docs/measurements/`). The figures
of a table come from one run on one machine, in turn with what they are compared with.
`python benchmarks/performance_page.py` writes this page anew without measuring.
"""


def sections(measurements: Path) -> Iterator[str]:
    """Yield each benchmark's section, in Markdown, where it has measured something."""
    for name, title in SECTIONS.items():
        file = measurements / f"{name}.json"
        if file.is_file():
            yield f"## {title}\n\n{importlib.import_module(name).page(read_json(file)).strip()}\n"


def cost_of_the_study() -> str:
    """Return what `make estimate` prints of profile paper, as a section."""
    return f"""\
## What the study would cost

`make estimate` prints this of the active profile, with its params of that moment; of another by
`python -m deepfake_ensemble.workflow.estimate --profile paper`. It is computed, not measured.

{estimate.of_profile("paper").strip()}
"""


def main() -> None:
    with replacing_file(PAGE) as partial:
        text = "\n".join([HEAD, *sections(FOLDER), cost_of_the_study()])
        partial.write_text(text, encoding="utf-8")
    print(f"{PAGE}: written")


if __name__ == "__main__":
    main()
