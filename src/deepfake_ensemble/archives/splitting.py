"""Draw disjoint, balanced splits of exact size; copies of one file always stay together.

`split_set` stratifies by class and pools the parts of a data set that it is told to; `split_published` keeps
the publisher's test part whole and stratifies by class and by what images show as well. Both are functions of
the set of images, the counts and the seed, never of an order.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from deepfake_ensemble.archives.index import CLASS_NAMES, USABLE, IndexRow, SplitRow
from deepfake_ensemble.archives.layouts import Layout
from deepfake_ensemble.foundation.errors import UserError

LEAK_FREE = "leak_free"

Group = list[IndexRow]  # byte-identical images
Stratum = tuple[int, str]  # label, and what the images show; empty where that is not asked or not known
T = TypeVar("T")
Image = TypeVar("Image", IndexRow, SplitRow)


@dataclass(frozen=True)
class SetSplits:
    """How the splits of a data set were drawn.

    Attributes:
        images: how many there are, by split.
        missing: how many fewer than were asked for, by split.
        dropped: unreadable images.
        unused: usable images in no split.
        copies_kept_together: groups of byte-identical images that are in a split.
    """

    images: dict[str, int]
    missing: dict[str, int]
    dropped: int
    unused: int
    copies_kept_together: int


@dataclass(frozen=True)
class Contents:
    """What a split holds.

    Attributes:
        images: how many.
        classes: how many of each.
        subjects: how many show each; none where names do not say.
        copies: how many are byte-identical with an earlier one.
    """

    images: int
    classes: dict[str, int]
    subjects: dict[str, int]
    copies: int


@dataclass(frozen=True)
class Split(Generic[T]):
    """Images by split, each sorted by path, and what a reader should know of how they were drawn."""

    rows: dict[str, list[SplitRow]]
    summary: T


def split_set(
    title: str,
    rows: Iterable[IndexRow],
    layout: Layout,
    counts: Mapping[str, int | None],
    seed: int,
    *,
    partition: str = "all",
) -> Split[SetSplits]:
    """Draw splits from the usable images of a data set, half of each class.

    Images that were dropped as unreadable may be missing from the split `train`, which then stays balanced;
    every other split is complete.

    Args:
        title: the data set's name, for messages.
        rows: its index.
        layout: of its archive.
        counts: split → number of images, even; None for all, that is as many of each class as the smaller
            one has.
        seed: of the draw; class `label` has the stream PCG64([seed, label]).
        partition: what images are drawn from, as `DataSet.partition` has it.

    Raises:
        UserError: a count is odd, there are too few images, byte-identical images have different labels, or
            copies of one file keep the counts from being met.
    """
    pool = _pool(rows, layout, partition)
    usable = [row for row in pool if row.status == USABLE]
    halves = _without_dropped(_halves(title, counts, usable), pool, usable)
    drawn = _draw(title, usable, {name: halves[name] for name in sorted(halves)}, [seed])
    sizes = {name: len(drawn[name]) for name in counts}
    copies = Counter(row.sha256 for images in drawn.values() for row in images)
    return Split(
        rows=drawn,
        summary=SetSplits(
            images=sizes,
            missing={name: 0 if count is None else count - sizes[name] for name, count in counts.items()},
            dropped=len(pool) - len(usable),
            unused=len(usable) - sum(sizes.values()),
            copies_kept_together=sum(count > 1 for count in copies.values()),
        ),
    )


def split_published(
    title: str, rows: Iterable[IndexRow], layout: Layout, counts: Mapping[str, int], seed: int
) -> Split[dict[str, Contents]]:
    """Draw train and val from the publisher's training part, and test from its test part.

    Each is half of each class and shows the same things as its part in the same proportions. Copies of test
    images in the training part stay where the publisher has them; the split `leak_free` is the drawn test
    split without them.

    Args:
        title: the data set's name, for messages.
        rows: its index.
        layout: of its archive; says what an image shows.
        counts: of train, val and test; even.
        seed: of the draw; part `number` (0 for train), class `label` and the subject at `position` among
            those of that class, sorted, have the stream PCG64([seed, number, label, position]).

    Raises:
        UserError: as `split_set`.
    """
    usable = sorted({row for row in rows if row.status == USABLE})
    halves = _halves(title, counts, usable)
    drawn: dict[str, list[SplitRow]] = {}
    for number, (part, names) in enumerate({"train": ("train", "val"), "test": ("test",)}.items()):
        images = [row for row in usable if _partition(layout, row) == part]
        wanted = {name: halves[name] for name in names}
        drawn |= _draw(f"{title}, part {part}", images, wanted, [seed, number], layout.subject)
    drawn[LEAK_FREE] = _unpublished(drawn["test"], usable, layout)
    return Split(drawn, {name: _contents(images, layout) for name, images in drawn.items()})


def _pool(rows: Iterable[IndexRow], layout: Layout, partition: str) -> list[IndexRow]:
    """Return the images of a part, sorted."""
    everything = sorted(set(rows))
    if partition == "all":
        return everything
    part, _, leak_free = partition.partition("_")
    of_part = [row for row in everything if _partition(layout, row) == part]
    return _unpublished(of_part, everything, layout) if leak_free else of_part


def _unpublished(images: Iterable[Image], rows: Iterable[IndexRow], layout: Layout) -> list[Image]:
    """Return the images that do not lie byte for byte in the publisher's training part."""
    published = {row.sha256 for row in rows if row.status == USABLE and _partition(layout, row) == "train"}
    return [image for image in images if image.sha256 not in published]


def _partition(layout: Layout, row: IndexRow) -> str | None:
    place = layout.place(row.path)
    return place.partition if place else None


def _halves(title: str, counts: Mapping[str, int | None], usable: Iterable[IndexRow]) -> dict[str, int]:
    """Return how many images of each class every split is to have."""
    for name, count in counts.items():
        if count is not None and (count < 2 or count % 2):
            raise UserError(
                f"{title}: the split {name!r} cannot have {count:,} images, half of them real and half fake; "
                "ask for an even number from 2 up"
            )
    everything = max(1, _smaller_class(usable))  # one more than there is fails like any other number
    return {name: everything if count is None else count // 2 for name, count in counts.items()}


def _without_dropped(
    halves: dict[str, int], pool: Sequence[IndexRow], usable: Sequence[IndexRow]
) -> dict[str, int]:
    """Take from `train` what can only be missing because images of `pool` are not usable."""
    total, here = sum(halves.values()), _smaller_class(usable)
    left = halves.get("train", 0) - (total - here)
    return halves | {"train": left} if here < total <= _smaller_class(pool) and left > 0 else halves


def _smaller_class(images: Iterable[IndexRow]) -> int:
    found = Counter(row.label for row in images)
    return min(found[label] for label in range(len(CLASS_NAMES)))


def _draw(
    title: str,
    images: Sequence[IndexRow],
    halves: Mapping[str, int],
    entropy: Sequence[int],
    subject: Callable[[str], str | None] | None = None,
) -> dict[str, list[SplitRow]]:
    """Draw splits of so many `images`, sorted, of each class; those of one file go into one split or none.

    Args:
        title: of the images, for messages.
        images: all usable.
        halves: split → images of each class; the order of splits is part of the draw.
        entropy: what the seed of each stream begins with; the label follows and, with `subject`, the position
            of the stratum.
        subject: what an image of some path shows, where all splits are to show the same.
    """
    counts = Counter(row.label for row in images)
    total = sum(halves.values())
    if total > _smaller_class(images):
        numbers = " and ".join(f"{counts[label]:,} {name}" for label, name in enumerate(CLASS_NAMES))
        raise UserError(
            f"{title}: the splits need {total:,} images of each class, but there are {numbers} usable ones; "
            "ask for fewer images or use the complete archive"
        )
    groups = _groups(title, images, subject)
    drawn: dict[str, list[SplitRow]] = {name: [] for name in halves}
    for label, class_name in enumerate(CLASS_NAMES):
        strata = {shown: groups[of, shown] for of, shown in sorted(groups) if of == label}
        sizes = {shown: sum(map(len, those)) for shown, those in strata.items()}
        wanted = _within({name: _allotted(half, sizes) for name, half in halves.items()}, sizes)
        for position, (shown, those) in enumerate(strata.items()):
            words = [*entropy, label] if subject is None else [*entropy, label, position]
            rng = np.random.Generator(np.random.PCG64(words))
            capacities = {name: wanted[name][shown] for name in halves}
            assigned = assign_groups([len(group) for group in those], list(capacities.values()), rng)
            if assigned is None:
                listed = ", ".join(f"{count:,} ({name})" for name, count in capacities.items())
                kind = f"{class_name} images of {shown}" if shown else f"{class_name} images"
                raise UserError(
                    f"{title}: there are too many byte-identical {kind}, which have to stay "
                    f"together, for splits of exactly {listed} of them; ask for other counts"
                )
            for group, number in zip(those, assigned, strict=True):
                if number is not None:
                    drawn[list(halves)[number]] += [SplitRow(*row[:3]) for row in group]
    return {name: sorted(rows) for name, rows in drawn.items()}


def _groups(
    title: str, images: Iterable[IndexRow], subject: Callable[[str], str | None] | None
) -> dict[Stratum, list[Group]]:
    """Return the groups of byte-identical images by the stratum of their first, ordered by its path."""
    by_hash: dict[str, Group] = defaultdict(list)
    for row in images:
        by_hash[row.sha256].append(row)
    strata: dict[Stratum, list[Group]] = defaultdict(list)
    for group in by_hash.values():
        if len({row.label for row in group}) > 1:
            real, fake = (next(row.path for row in group if row.label == label) for label in (0, 1))
            raise UserError(
                f"{title}: {real!r} (real) and {fake!r} (fake) are the same file; "
                "use the publisher's own archive"
            )
        shown = subject(group[0].path) if subject else None
        strata[group[0].label, shown or ""].append(group)
    return strata


def _allotted(count: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Share `count` out in proportion to `sizes`; what rounding leaves goes to the largest remainders."""
    total = sum(sizes.values())
    shares = {name: count * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(count * sizes[name] % total), name))
    for name in by_remainder[: count - sum(shares.values())]:
        shares[name] += 1
    return shares


def _within(wanted: dict[str, dict[str, int]], sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Move what rounding asks too much of one stratum to others that have room."""
    first = next(iter(wanted))
    for shown in sizes:
        while sum(of[shown] for of in wanted.values()) > sizes[shown]:
            room = next(s for s in sizes if sum(of[s] for of in wanted.values()) < sizes[s])
            wanted[first][shown] -= 1
            wanted[first][room] += 1
    return wanted


def assign_groups(
    sizes: Sequence[int], capacities: Sequence[int], rng: np.random.Generator
) -> list[int | None] | None:
    """Assign groups at random into bins that become exactly full.

    Args:
        sizes: of the groups.
        capacities: of the bins.
        rng: decides.

    Returns:
        The bin of each group, None for one left over; None if there is no way to fill all bins.
    """
    spare = sum(sizes) - sum(capacities)
    if spare < 0:
        return None
    bins = [*capacities, spare]  # what no bin needs goes to the last one
    assigned = _assign_at_random(sizes, bins, rng)
    if assigned is None:
        assigned = _assign_exactly(sizes, bins, rng)
    return None if assigned is None else [n if n < len(capacities) else None for n in assigned]


def _assign_at_random(
    sizes: Sequence[int], bins: Sequence[int], rng: np.random.Generator
) -> list[int] | None:
    # Copies come first, the largest groups before the others; a bin's chance is the space it has left. Single
    # images then fill whatever that is, so it can only fail if there are hardly any of them.
    left = np.array(bins)
    assigned = [0] * len(sizes)
    for i in sorted((i for i, size in enumerate(sizes) if size > 1), key=lambda i: -sizes[i]):
        chances = np.where(left >= sizes[i], left, 0)
        if not chances.any():
            return None
        assigned[i] = int(np.searchsorted(chances.cumsum(), rng.integers(chances.sum()), side="right"))
        left[assigned[i]] -= sizes[i]
    singles = (i for i, size in enumerate(sizes) if size == 1)
    for i, number in zip(singles, rng.permutation(np.repeat(np.arange(len(bins)), left)), strict=True):
        assigned[i] = int(number)
    return assigned


def _assign_exactly(sizes: Sequence[int], bins: Sequence[int], rng: np.random.Generator) -> list[int] | None:
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


def _contents(images: Sequence[SplitRow], layout: Layout) -> Contents:
    subjects = Counter(layout.subject(row.path) for row in images)
    return Contents(
        images=len(images),
        classes=dict(Counter(CLASS_NAMES[row.label] for row in images)),
        subjects={name: subjects[name] for name in layout.subjects.values() if subjects[name]},
        copies=len(images) - len({row.sha256 for row in images}),
    )
