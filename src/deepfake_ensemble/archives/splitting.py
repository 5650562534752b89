"""Draw disjoint, balanced splits of exact size; copies of one file always stay together."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepfake_ensemble.archives.index import CLASS_NAMES, USABLE, IndexRow, SplitRow
from deepfake_ensemble.foundation.errors import UserError

Group = list[IndexRow]  # byte-identical images


@dataclass(frozen=True)
class Split:
    """Images by split, each sorted by path, and what a reader should know of how they were drawn."""

    rows: dict[str, list[SplitRow]]
    summary: dict[str, Any]


def split_set(
    title: str,
    rows: Iterable[IndexRow],
    counts: Mapping[str, int],
    seed: int,
    *,
    keep: Callable[[str], bool] = lambda path: True,
    shrinkable: str = "train",
) -> Split:
    """Draw splits of `counts` images, half of each class, from the usable images of a data set.

    The draw depends on the set of rows, the counts and the seed; not on the order of the rows. Images that
    were dropped as unreadable may be missing from the split `shrinkable`, which then stays balanced; every
    other split is complete.

    Args:
        title: the data set's name, for messages.
        rows: its index.
        counts: split → number of images; even.
        seed: of the draw (PCG64, one stream for each class).
        keep: tells by its path whether an image may be drawn.
        shrinkable: the split that may lack dropped images.

    Raises:
        UserError: a count is odd, there are too few images, byte-identical images have different labels, or
            copies of one file keep the counts from being met.
    """
    for name, count in counts.items():
        if count < 2 or count % 2:
            raise UserError(
                f"{title}: the split {name!r} cannot have {count:,} images, half of them real and half fake; "
                "ask for an even number from 2 up"
            )
    pool = sorted({row for row in rows if keep(row.path)})
    groups = _groups(title, [row for row in pool if row.status == USABLE])
    halves = _halves(title, pool, {name: counts[name] // 2 for name in sorted(counts)}, shrinkable)

    drawn: dict[str, list[SplitRow]] = {name: [] for name in counts}
    together = 0
    for label, class_name in enumerate(CLASS_NAMES):
        rng = np.random.Generator(np.random.PCG64([seed, label]))
        dealt = deal([len(group) for group in groups[label]], list(halves.values()), rng)
        if dealt is None:
            raise UserError(
                f"{title}: there are too many byte-identical {class_name} images, which have to stay "
                f"together, for splits of exactly {_listed(halves)} of them; ask for other counts"
            )
        for group, split in zip(groups[label], dealt, strict=True):
            if split is not None:
                drawn[list(halves)[split]] += [SplitRow(*row[:3]) for row in group]
                together += len(group) > 1
    return Split(
        rows={name: sorted(images) for name, images in drawn.items()},
        summary={
            "images": {name: len(images) for name, images in drawn.items()},
            "missing": {name: counts[name] - len(images) for name, images in drawn.items()},
            "dropped": sum(row.status != USABLE for row in pool),
            "unused": sum(row.status == USABLE for row in pool) - sum(map(len, drawn.values())),
            "copies_kept_together": together,
        },
    )


def deal(
    sizes: Sequence[int], capacities: Sequence[int], rng: np.random.Generator
) -> list[int | None] | None:
    """Deal groups at random into bins that become exactly full: the bin of each, or None for one left over.

    Returns None if there is no way to do it.
    """
    spare = sum(sizes) - sum(capacities)
    if spare < 0:
        return None
    bins = [*capacities, spare]  # what no bin needs goes to the last one
    dealt = _deal_at_random(sizes, bins, rng)
    if dealt is None:
        dealt = _deal_exactly(sizes, bins, rng)
    return None if dealt is None else [n if n < len(capacities) else None for n in dealt]


def _deal_at_random(sizes: Sequence[int], bins: Sequence[int], rng: np.random.Generator) -> list[int] | None:
    # Copies come first, the largest groups before the others; a bin's chance is the space it has left. Single
    # images then fill whatever that is, so it can only fail if there are hardly any of them.
    left = np.array(bins)
    dealt = [0] * len(sizes)
    for i in sorted((i for i, size in enumerate(sizes) if size > 1), key=lambda i: -sizes[i]):
        chances = np.where(left >= sizes[i], left, 0)
        if not chances.any():
            return None
        dealt[i] = int(np.searchsorted(chances.cumsum(), rng.integers(chances.sum()), side="right"))
        left[dealt[i]] -= sizes[i]
    singles = (i for i, size in enumerate(sizes) if size == 1)
    for i, number in zip(singles, rng.permutation(np.repeat(np.arange(len(bins)), left)), strict=True):
        dealt[i] = int(number)
    return dealt


def _deal_exactly(sizes: Sequence[int], bins: Sequence[int], rng: np.random.Generator) -> list[int] | None:
    # How many groups of each size go into each bin is an integer programme with a few dozen unknowns.
    from scipy.optimize import LinearConstraint, milp

    available = Counter(sizes)
    distinct = sorted(available, reverse=True)
    into_bin = np.kron(np.eye(len(bins)), distinct)
    of_size = np.kron(np.ones(len(bins)), np.eye(len(distinct)))
    numbers = [available[size] for size in distinct]
    solution = milp(
        np.zeros(into_bin.shape[1]),
        integrality=np.ones(into_bin.shape[1]),
        constraints=[LinearConstraint(into_bin, bins, bins), LinearConstraint(of_size, numbers, numbers)],
        options={"node_limit": 10_000},  # some seconds; with sizes that images have, it ends at the first
    )
    plan = None if solution.x is None else np.rint(solution.x).astype(int)
    if plan is None or not np.array_equal(into_bin @ plan, bins):
        return None
    plan = plan.reshape(len(bins), len(distinct))
    turns = {
        size: iter(rng.permutation(np.repeat(np.arange(len(bins)), plan[:, k])).tolist())
        for k, size in enumerate(distinct)
    }
    return [next(turns[size]) for size in sizes]


def _groups(title: str, usable: Iterable[IndexRow]) -> list[list[Group]]:
    """Return the groups of byte-identical images of each class, in the order of their first paths."""
    by_hash: dict[str, Group] = defaultdict(list)
    for row in usable:
        by_hash[row.sha256].append(row)
    groups: list[list[Group]] = [[] for _ in CLASS_NAMES]
    for group in by_hash.values():
        labels = {row.label for row in group}
        if len(labels) > 1:
            real, fake = (next(row.path for row in group if row.label == label) for label in (0, 1))
            raise UserError(
                f"{title}: {real!r} (real) and {fake!r} (fake) are the same file; "
                "use the publisher's own archive"
            )
        groups[labels.pop()].append(group)
    return groups


def _halves(title: str, pool: Iterable[IndexRow], asked: dict[str, int], shrinkable: str) -> dict[str, int]:
    """Return how many images of each class every split gets; dropped images may be missing from one split."""
    pool = list(pool)
    usable = Counter(row.label for row in pool if row.status == USABLE)
    found = Counter(row.label for row in pool)
    total = sum(asked.values())
    here = min(usable[label] for label in range(len(CLASS_NAMES)))
    there = min(found[label] for label in range(len(CLASS_NAMES)))
    left = asked.get(shrinkable, 0) - (total - here)
    if here >= total:
        return asked
    if there >= total and left > 0:
        return asked | {shrinkable: left}
    numbers = " and ".join(f"{usable[label]:,} {name}" for label, name in enumerate(CLASS_NAMES))
    raise UserError(
        f"{title}: the splits need {total:,} images of each class, but there are {numbers} usable ones; "
        "ask for fewer images or use the complete archive"
    )


def _listed(halves: Mapping[str, int]) -> str:
    return ", ".join(f"{half:,} ({name})" for name, half in halves.items())
