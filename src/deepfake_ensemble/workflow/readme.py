"""Write the generated parts of README.md: `make readme`.

The result table comes from the reports of the run that dvc.lock describes, the graph from dvc.yaml.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow import generated, measured

README = Path("README.md")
LOCK = Path("dvc.lock")
NOTE = """\
Fake is the positive class, the threshold 0.5. The logistic regression sees of each image its file size, mean
brightness and sharpness and nothing else, and is cross-validated on the evaluated data set itself
([audit](reports/data)): this is how far one gets without seeing what a picture shows. All figures:
[reports/evaluation](reports/evaluation), or `dvc metrics show`."""


def parts() -> dict[str, str]:
    """Return the generated parts, by name, of the project in the working folder."""
    return {"results": results(Path("reports")), "graph": graph()}


def results(reports: Path) -> str:
    """Return the result table of the run in the working folder, under the name of its profile."""
    found = measured.read(reports)
    if found is None or not LOCK.exists():
        return (
            "No run has been committed yet; `make repro` makes one and `make readme` writes its results here."
        )
    profile, settings = ran_with(params.load(LOCK))
    return "\n\n".join([measured.headline(profile, settings), measured.detectors(found), NOTE])


def ran_with(lock: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the profile that dvc.lock's run used, and what of its settings the run depended on.

    Raises:
        UserError: if the lock names none, or two (a run of which only a part was repeated).
    """
    found: dict[str, dict[str, Any]] = {}
    for stage in lock.get("stages", {}).values():
        for key, value in stage.get("params", {}).get("params.yaml", {}).items():
            section, _, rest = key.partition(".")
            if section == "profiles":
                profile, _, setting = rest.partition(".")
                found.setdefault(profile, {})[setting] = value
    if len(found) != 1:
        raise UserError(
            f"{LOCK}: its stages ran with the profiles {', '.join(found) or 'none'}; run `dvc repro`"
        )
    return next(iter(found.items()))


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


def main() -> None:
    """Rewrite README.md, and say whether it changed."""
    before = README.read_text(encoding="utf-8")
    after = generated.filled(before, parts(), README)
    README.write_text(after, encoding="utf-8")
    print(f"{README}: " + ("as it was" if after == before else "brought up to date"))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
