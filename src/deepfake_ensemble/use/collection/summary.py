"""What is said of a whole collection: as JSON, and as a page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deepfake_ensemble.pages import rendering
from deepfake_ensemble.pages.drawing import FULL, INK, empty, styled, svg
from deepfake_ensemble.pages.rendering import Section
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.collection import addresses
from deepfake_ensemble.use.collection.results import BINS, Counts
from deepfake_ensemble.use.verdicts import DecisionRule


@dataclass(frozen=True)
class Unfinished:
    """A shard without results: its address, what is at fault (as `worker.Undone` says), and why."""

    shard: str
    fault: str
    reason: str


@dataclass(frozen=True)
class Run:
    """What the last run did.

    Attributes:
        images: that it classified.
        seconds: it took, from the first shard on.
        workers: how many there were.
        memory_mib: the most that one of them took; None if nothing was left to do.
    """

    images: int
    seconds: float
    workers: int
    memory_mib: int | None


@dataclass(frozen=True)
class Summary:
    """What is said of a collection.

    Attributes:
        shards: how many it has.
        classified: how many of them have results.
        unfinished: the others; those that were not begun are not among them.
        counts: over all results, of this run and earlier ones.
        sample: how many images were asked for; None: all.
        detector: who decided.
        threshold: from which P(fake) on an image is called fake.
        faces: whether faces were looked for, as the option says.
        model_sha256: of the model file.
        demonstration: whether the models only show that everything works.
        run: the last one.
    """

    shards: int
    classified: int
    unfinished: Sequence[Unfinished]
    counts: Counts
    sample: int | None
    detector: str
    threshold: float
    faces: str
    model_sha256: str
    demonstration: bool
    run: Run


def write(output: str, summary: Summary, metadata: ModelMetadata, rule: DecisionRule) -> None:
    """Write summary.json and summary.html below an output's address.

    Raises:
        StorageFault: if they cannot be written.
    """
    with addresses.replacing(addresses.joined(output, "summary.json")) as file:
        file.write_text(f"{json.dumps(summary, indent=2, default=vars)}\n", encoding="utf-8")
    with addresses.replacing(addresses.joined(output, "summary.html")) as file:
        file.write_text(page(summary, metadata, rule), encoding="utf-8", newline="\n")


def page(summary: Summary, metadata: ModelMetadata, rule: DecisionRule) -> str:
    """Return the page."""
    counts = summary.counts
    sections = [Section("Verdicts", "collection_verdicts.html", summary)]
    if counts.bad:
        sections.append(Section("Images that could not be used", "collection_counts.html", counts.bad))
    if counts.passed_over:
        sections.append(Section("Files that are no images", "collection_counts.html", counts.passed_over))
    if summary.unfinished:
        sections.append(Section("Shards without results", "collection_unfinished.html", summary.unfinished))
    return rendering.render(
        __name__,
        "collection.html",
        sections=sections,
        summary=summary,
        usable=sum(counts.verdicts.values()),
        figure=rendering.Markup(_drawing(counts)),
        detector=title(summary.detector),
        banner_text=wording.DEMONSTRATION if summary.demonstration else None,
        said=list(_said(summary, metadata, rule)),
    )


def _said(summary: Summary, metadata: ModelMetadata, rule: DecisionRule) -> Iterator[str]:
    yield from wording.errors(rule) if rule.errors else [wording.CHANGED]
    usable = sum(summary.counts.verdicts.values())
    if rule.internal and usable:
        expected = rule.internal.reals_called_fake
        low, high = expected.ends
        yield (
            f"If all {usable:,} images were real, the rate of the internal test would call"
            f" {expected.value * usable:,.0f} of them fake ({low * usable:,.0f} to {high * usable:,.0f});"
            f" {summary.counts.verdicts['fake']:,} are called so here."
        )
    if summary.counts.unlike_training:
        yield from wording.unlike(metadata)


def _drawing(counts: Counts) -> str:
    with styled():
        figure, axes = empty(FULL, 2.6)
        axes.bar(
            [(number + 0.5) / BINS for number in range(BINS)],
            counts.p_fake,
            width=0.9 / BINS,
            color="#0072B2",
            edgecolor=INK,
            linewidth=0,
        )
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="P(fake)", ylabel="images", xlim=(0, 1))
        return svg(figure, "p-fake")


def as_text(summary: Summary) -> Iterator[str]:
    """Yield what a terminal shows of it, a line each."""
    counts = summary.counts
    of = f" (a sample of {summary.sample:,})" if summary.sample else ""
    yield f"{counts.images:,} images{of} in {summary.classified:,} of {summary.shards:,} shards"
    for verdict in ("fake", "real"):
        yield f"{counts.verdicts[verdict]:,} called {verdict}"
    yield f"{counts.unlike_training:,} of them unlike the images of training"
    yield from _counted("could not be used", counts.bad)
    for each in summary.unfinished:
        yield f"no results ({each.fault}): {each.reason}"


def _counted(what: str, counts: Mapping[str, int]) -> Iterator[str]:
    for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{number:,} {what}: {name}"
