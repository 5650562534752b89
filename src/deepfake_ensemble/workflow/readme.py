"""Write the generated parts of README.md and CONTRIBUTING.md: `make readme`.

What was measured on real images comes from docs/measurements/small and residual/results.json; the graph, and
what an edit reruns, from dvc.yaml.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.titles import run_title
from deepfake_ensemble.studies.residual.report import paper
from deepfake_ensemble.workflow import generated, measured, rooms

README = Path("README.md")
CONTRIBUTING = Path("CONTRIBUTING.md")
RUN = Path("docs/measurements/small.json")
RESIDUAL = Path("residual/results.json")
NOTE = """\
Fake is the positive class, the threshold 0.5; half of the images are fake, so calling all of them fake has
accuracy 0.500 and F1 0.667. The logistic regression sees only each image's file size, brightness and
sharpness, cross-validated on the data set itself: how far one gets without seeing pictures."""


def parts() -> dict[Path, dict[str, str]]:
    """Return the generated parts of each page, by name, of the project in the working folder."""
    found = "\n\n".join([ensemble(RUN), residual(read_json(RESIDUAL))])
    return {README: {"measured": found, "graph": graph()}, CONTRIBUTING: {"rooms": rooms.rooms()}}


def ensemble(run: Path) -> str:
    """Return what a measured run of the first study gave; its reports lie in the folder of the file's name.

    Raises:
        UserError: if the reports are missing.
    """
    about, reports = read_json(run), measured.read(run.with_suffix(""))
    if reports is None:
        raise UserError(
            f"{run.with_suffix('')}: holds no evaluation; run `python benchmarks/measured_run.py`"
        )
    profile = about["profile"]
    headline = measured.headline(profile, about["params"]["profiles"][profile])
    return "\n\n".join([f"First study. {headline}", measured.detectors(reports), NOTE])


def residual(results: Mapping[str, Any]) -> str:
    """Return the second study's F1 on the published test images, the best run first."""
    runs = sorted(results["runs"], key=lambda run: -run["f1_official"]["value"])
    described = sorted(
        {(run["profile"], run["training_images"], run["image_size"], run["cores"]) for run in runs}
    )
    made_with = "; ".join(
        f"profile `{profile}`, {images:,} training images of {size}×{size} pixels, {cores} cores"
        for profile, images, size, cores in described
    )
    rows = [
        [
            run_title(run["run"]),
            f"{paper.F1[run['run']]:.3f}" if run["run"] in paper.F1 else "–",
            "{value:.3f} ({ci_low:.3f}–{ci_high:.3f})".format(**run["f1_official"]),
            f"{run['epochs']}",
            f"{run['minutes']:.0f}",
        ]
        for run in runs
    ]
    header = ["CIFAKE's test images", "F1 in the paper", "F1 (95 % interval)", "epochs", "minutes"]
    return f"Second study: {made_with}.\n\n{generated.table(header, rows)}"


def graph() -> str:
    """Return the pipeline as a Mermaid graph: a box for each stage, not for each of its items.

    An arrow that follows from others (a → c where there is a → b → c) is left out.
    """
    import networkx
    from dvc.repo import Repo

    stages = Repo().index
    items = Counter(_stage(item) for item in stages.stages)
    on_gpu = {_stage(item) for item in stages.stages if "GPU" in (item.desc or "")}
    collapsed = networkx.DiGraph((_stage(read), _stage(reader)) for reader, read in stages.graph.edges)
    reduced = networkx.transitive_reduction(collapsed)
    lines = ["```mermaid", "flowchart LR"]
    for name, count in items.items():
        text = f"{name} × {count}" if count > 1 else name
        lines.append(f'    {name}["{text}"]{":::gpu" if name in on_gpu else ""}')
    lines += [f"    {a} --> {b}" for a in items for b in items if reduced.has_edge(a, b)]
    return "\n".join([*lines, "    classDef gpu stroke-width:3px", "```"])


def _stage(item: Any) -> str:
    return item.addressing.partition("@")[0]


if __name__ == "__main__":
    with exiting():
        for page, made in parts().items():
            generated.refresh(page, made)
