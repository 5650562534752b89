"""The stages of dvc.yaml, drawn for README.md: an index of packages shows no Mermaid."""

from collections import Counter
from typing import Any

import networkx
from dvc.repo import Repo

from deepfake_ensemble.pages.drawing import FULL, INK, empty, styled, svg
from deepfake_ensemble.workflow.generated import svg_file

HEIGHT = 3.8  # inches


def graph() -> "networkx.DiGraph[str]":
    """Return the stages, each with how many items it has (`count`) and whether it wants a GPU (`gpu`).

    An arrow that follows from others (a → c where there is a → b → c) is left out.
    """
    stages = Repo().index
    collapsed = networkx.DiGraph((_stage(read), _stage(reader)) for reader, read in stages.graph.edges)
    reduced = networkx.transitive_reduction(collapsed)
    counts = Counter(map(_stage, stages.stages))
    networkx.set_node_attributes(reduced, counts, "count")
    on_gpu = {_stage(item) for item in stages.stages if "GPU" in (item.desc or "")}
    networkx.set_node_attributes(reduced, {name: name in on_gpu for name in counts}, "gpu")
    return reduced


def draw(stages: "networkx.DiGraph[str]") -> str:
    """Return an SVG file: a box for each stage of `graph`, a thick one where it wants a GPU."""
    places = _places(stages)
    with styled():
        figure, axes = empty(FULL, HEIGHT)
        axes.set_axis_off()
        axes.set(xlim=(-0.5, max(x for x, _ in places.values()) + 0.5), ylim=(-0.05, 1.05))
        boxes = {}
        for name, stage in sorted(stages.nodes.items()):
            boxes[name] = axes.text(
                *places[name],
                f"{name}\n× {stage['count']}" if stage["count"] > 1 else name,
                ha="center",
                va="center",
                fontsize=7,
                zorder=3,  # over arrows that pass behind
                bbox={
                    "boxstyle": "round",
                    "facecolor": "white",
                    "edgecolor": INK,
                    "linewidth": 2 if stage["gpu"] else 0.7,
                },
            )
        for read, reader in sorted(stages.edges):
            axes.annotate(
                "",
                places[reader],
                places[read],
                arrowprops={
                    "arrowstyle": "->",
                    "color": INK,
                    "linewidth": 0.7,
                    "patchA": boxes[read].get_bbox_patch(),
                    "patchB": boxes[reader].get_bbox_patch(),
                },
            )
        return svg_file(svg(figure, "pipeline"))


def _places(graph: "networkx.DiGraph[str]") -> dict[str, tuple[float, float]]:
    """Return x, how many stages at least come before one, and y from 0 to 1, near those that it reads."""
    places: dict[str, tuple[float, float]] = {}
    for x, layer in enumerate(networkx.topological_generations(graph)):
        wanted = {name: _middle([places[read][1] for read in graph.predecessors(name)]) for name in layer}
        ordered = sorted(layer, key=lambda name: (-wanted[name], -graph.out_degree(name), name))
        for number, name in enumerate(ordered):
            places[name] = (x, 1 - (number + 0.5) / len(ordered))
    return places


def _middle(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.5


def _stage(item: Any) -> str:
    return item.addressing.partition("@")[0]
