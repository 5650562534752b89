"""Split CIFAKE: validation out of the training half, the test half as published, and what of that leaks.

The paper has no validation split. Ours is stratified by class and by what an image shows, and copies of one
file stay together. Copies of test images in the training half stay where the publisher has them; the
leak-free test set is the official one without them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepfake_ensemble.archives.index import CLASS_NAMES, USABLE, IndexRow, SplitRow
from deepfake_ensemble.archives.layouts import Layout
from deepfake_ensemble.archives.splitting import deal
from deepfake_ensemble.foundation.errors import UserError

SPLITS = ("train", "val", "test")
Stratum = tuple[int, str]  # label, and what the image shows; empty if its name does not say


@dataclass(frozen=True)
class Split:
    """Images by split and those of the test split that are leak-free, all sorted by path, and a summary."""

    rows: dict[str, list[SplitRow]]
    leak_free: list[SplitRow]
    summary: dict[str, Any]


def split(rows: Iterable[IndexRow], layout: Layout, counts: Mapping[str, int], seed: int) -> Split:
    """Draw train, val and test, half of each class and stratified by what images show.

    The draw depends on the set of rows, the counts and the seed; not on the order of the rows.

    Args:
        rows: the index of the data set.
        layout: says which part an image lies in and what it shows.
        counts: of train, val and test; even.
        seed: of the draw.

    Raises:
        UserError: if a count is odd, there are too few images, or copies keep the counts from being met.
    """
    odd = next((f"{name} {counts[name]:,}" for name in SPLITS if counts[name] % 2), None)
    if odd:
        raise UserError(f"counts: {odd}: half of each class, so an even number")
    halves = {"train": ["train", "val"], "test": ["test"]}
    usable = sorted(row for row in rows if row.status == USABLE)
    drawn: dict[str, list[SplitRow]] = {name: [] for name in SPLITS}
    for number, (part, names) in enumerate(halves.items()):
        groups = _groups([row for row in usable if _partition(layout, row) == part], layout)
        for label, class_name in enumerate(CLASS_NAMES):
            strata = {key[1]: groups[key] for key in sorted(groups) if key[0] == label}
            sizes = {subject: sum(map(len, of)) for subject, of in strata.items()}
            wanted = {name: _allotted(counts[name] // 2, sizes) for name in names}
            short = sum(counts[name] for name in names) // 2 - sum(sizes.values())
            if short > 0:
                raise UserError(
                    f"counts: {' and '.join(names)} need {short:,} {class_name} images more than the part"
                    f" {part} of the archive has; ask for fewer or use the complete archive"
                )
            wanted = _within(wanted, sizes)
            for position, (subject, of) in enumerate(strata.items()):
                rng = np.random.Generator(np.random.PCG64([seed, number, label, position]))
                dealt = deal([len(group) for group in of], [wanted[name][subject] for name in names], rng)
                if dealt is None:
                    raise UserError(
                        f"counts: there are too many copies among the {class_name} images of"
                        f" {subject or part}, which have to stay together; ask for other counts"
                    )
                for group, place in zip(of, dealt, strict=True):
                    if place is not None:
                        drawn[names[place]] += [SplitRow(*row[:3]) for row in group]
    drawn = {name: sorted(images) for name, images in drawn.items()}
    trained_on = {row.sha256 for row in usable if _partition(layout, row) == "train"}
    leak_free = [row for row in drawn["test"] if row.sha256 not in trained_on]
    return Split(drawn, leak_free, _summary(drawn, leak_free, layout))


def _partition(layout: Layout, row: IndexRow) -> str | None:
    place = layout.place(row.path)
    return place.partition if place else None


def _groups(rows: Sequence[IndexRow], layout: Layout) -> dict[Stratum, list[list[IndexRow]]]:
    """Return the groups of byte-identical images by the stratum of their first image."""
    by_hash: dict[str, list[IndexRow]] = defaultdict(list)
    for row in rows:
        by_hash[row.sha256].append(row)
    strata: dict[Stratum, list[list[IndexRow]]] = defaultdict(list)
    for group in by_hash.values():
        strata[group[0].label, layout.subject(group[0].path) or ""].append(group)
    return strata


def _allotted(count: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Share `count` out in proportion to `sizes`; what rounding leaves goes to the largest remainders."""
    total = sum(sizes.values())
    if not total:
        return dict.fromkeys(sizes, 0)
    shares = {name: count * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(count * sizes[name] % total), name))
    for name in by_remainder[: count - sum(shares.values())]:
        shares[name] += 1
    return shares


def _within(wanted: dict[str, dict[str, int]], sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Move what rounding asks too much of one stratum to others that have room."""
    first = next(iter(wanted))
    for subject in sizes:
        while sum(of[subject] for of in wanted.values()) > sizes[subject]:
            room = next(s for s in sizes if sum(of[s] for of in wanted.values()) < sizes[s])
            wanted[first][subject] -= 1
            wanted[first][room] += 1
    return wanted


def _summary(
    drawn: Mapping[str, Sequence[SplitRow]], leak_free: Sequence[SplitRow], layout: Layout
) -> dict[str, Any]:
    sets: dict[str, Sequence[SplitRow]] = {**drawn, "leak_free": leak_free}
    return {
        name: {
            "images": len(images),
            "classes": dict(Counter(CLASS_NAMES[row.label] for row in images)),
            "subjects": {
                subject: count
                for subject in layout.subjects.values()
                if (count := sum(layout.subject(row.path) == subject for row in images))
            },
            "copies": len(images) - len({row.sha256 for row in images}),
        }
        for name, images in sets.items()
    }
