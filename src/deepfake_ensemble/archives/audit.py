"""Look at every image of an archive once, and write down what a careful reviewer would want to know."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from deepfake_ensemble.archives.archive import Archive
from deepfake_ensemble.archives.audit_report import (
    AuditReport,
    ByClass,
    Copies,
    Histogram,
    LabelTable,
    Range,
    TableCount,
    Unreadable,
)
from deepfake_ensemble.archives.baselines import Features, baselines, features
from deepfake_ensemble.archives.index import CLASS_NAMES, USABLE, IndexRow
from deepfake_ensemble.archives.layouts import Layout, Place, is_left_behind
from deepfake_ensemble.archives.quantisation import Tables, tables
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.progress import count_progress
from deepfake_ensemble.foundation.section import Seed32, section
from deepfake_ensemble.reading.images import BadImage, open_image, to_rgb

_EXAMPLES = 10
_LINES = 20  # of a histogram; the rest is summed up
_REST = "other"
_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_JFIF_UNITS = {1: "dots per inch", 2: "dots per cm"}
_NOT_STATED = "not stated"
_METADATA = ("exif", "icc_profile", "jfif", "adobe", "comment", "progressive")  # as Pillow names them


@section
class AuditParams:
    """The section `audit` of params.yaml.

    Attributes:
        on_bad_image: what an unreadable image does: stop the run (fail), or stay unused and listed (drop).
        seed: of the folds in which the logistic regression on trivial features is cross-validated.
    """

    on_bad_image: Literal["fail", "drop"]
    seed: Seed32


@dataclass(frozen=True)
class Audit:
    """The index of a data set, sorted by path, and the report on it."""

    rows: list[IndexRow]
    report: AuditReport


class ImageStats(NamedTuple):
    """What can be said of an image that can be read."""

    features: Features
    size: str
    mode: str
    format: str
    subsampling: str
    resolution: str
    tables: Tables
    metadata: tuple[str, ...]


class AuditedImage(NamedTuple):
    """An image of an archive; `stats` is None if it cannot be read, and `status` then says why."""

    path: str
    place: Place
    sha256: str
    status: str
    stats: ImageStats | None


def audit(archive: Archive, layout: Layout, params: AuditParams) -> Audit:
    """Read, decode and describe all images of an archive.

    The order of the archive does not show in the result.

    Args:
        archive: open, of one data set.
        layout: how its publisher lays it out.
        params: the section `audit`.

    Raises:
        UserError: the archive is not laid out as `layout` says or its tables of labels contradict its
            folders; an entry is damaged; byte-identical images have different labels; or images are
            unreadable and `params.on_bad_image` is `fail`.
    """
    problem = layout.problem(archive.names)
    if problem:
        raise _refused(archive, problem)
    label_tables = {name: _check_table(archive, layout, name) for name in layout.tables_in(archive.names)}
    images = _audit_images(archive, layout)
    if params.on_bad_image == "fail":
        _check_readable(archive, images)
    copies = _copies(images)
    _check_labels(archive, copies)
    return Audit(
        rows=[IndexRow(image.path, image.place.label, image.sha256, image.status) for image in images],
        report=_report(
            images,
            layout,
            label_tables,
            copies,
            seed=params.seed,
            passed_over=sum(map(is_left_behind, archive.names)),
        ),
    )


def _refused(archive: Archive, what: str) -> UserError:
    return UserError(f"{archive.path}: {what}; use the publisher's own archive")


def _audit_images(archive: Archive, layout: Layout) -> list[AuditedImage]:
    places = {name: place for name in archive.stored_order if (place := layout.place(name))}
    images = []
    # One thread: with images of this size, two are slower, because they wait for the interpreter in turn.
    with count_progress(f"audit {archive.path}", len(places)) as advance:
        for name, place in places.items():
            data = archive.read(name)
            status, stats = USABLE, None
            try:
                stats = _image_stats(data)
            except BadImage as error:
                status = " ".join(str(error).split())
            images.append(AuditedImage(name, place, hashlib.sha256(data).hexdigest(), status, stats))
            advance(1)
    return sorted(images, key=lambda image: image.path)


def _image_stats(data: bytes) -> ImageStats:
    file = open_image(data)
    return ImageStats(
        features=features(len(data), to_rgb(file)),
        size=f"{file.width}x{file.height}",
        mode=file.mode,
        format=file.format or _REST,
        subsampling=_SUBSAMPLING.get(get_sampling(file), "none" if file.mode == "L" else _REST),
        resolution=_resolution(file),
        tables=tables(file),
        metadata=tuple(key for key in _METADATA if file.info.get(key)),
    )


def _resolution(file: Image.Image) -> str:
    """Return what JFIF's header says; without a unit it tells the shape of pixels alone."""
    unit = _JFIF_UNITS.get(file.info.get("jfif_unit", 0))
    return "{}x{} {}".format(*file.info["jfif_density"], unit) if unit else _NOT_STATED


def _check_table(archive: Archive, layout: Layout, table: str) -> LabelTable:
    """Compare a table of labels with the folders; return how many rows and images have no counterpart."""
    try:
        labels = layout.table_labels(archive.read(table))
    except ValueError as error:
        raise _refused(archive, f"{table!r} is no table of labels ({error})") from error
    listed = {name: place for name in labels if (place := layout.place(name))}
    wrong = sorted(name for name, place in listed.items() if place.label != labels[name])
    if wrong:
        calls = f"{table!r} calls {wrong[0]!r} {CLASS_NAMES[labels[wrong[0]]]}, its folder says the opposite"
        more = f" (and {len(wrong) - 1:,} more like it)" if len(wrong) > 1 else ""
        raise _refused(archive, calls + more)
    partitions = {place.partition for place in listed.values()}
    images = {
        name for name in archive.names if (place := layout.place(name)) and place.partition in partitions
    }
    return LabelTable(
        rows=len(labels),
        rows_without_image=len(labels.keys() - images),
        images_without_row=len(images - labels.keys()),
    )


def _check_readable(archive: Archive, images: Sequence[AuditedImage]) -> None:
    bad = [f"{image.path!r}: {image.status}" for image in images if image.stats is None]
    if bad:
        more = f"; and {len(bad) - 3:,} more" if len(bad) > 3 else ""
        raise UserError(
            f"{archive.path}: {len(bad):,} of {len(images):,} images cannot be used "
            f"({'; '.join(bad[:3])}{more}); use the publisher's own archive, "
            "or leave them out with audit.on_bad_image=drop"
        )


def _copies(images: Iterable[AuditedImage]) -> list[list[AuditedImage]]:
    """Return the groups of byte-identical usable images, in the order of their first paths."""
    by_hash = defaultdict(list)
    for image in images:
        if image.stats:
            by_hash[image.sha256].append(image)
    return [group for group in by_hash.values() if len(group) > 1]


def _check_labels(archive: Archive, copies: Iterable[Sequence[AuditedImage]]) -> None:
    mixed = [group for group in copies if len({image.place.label for image in group}) > 1]
    if mixed:
        real, fake = (
            next(image.path for image in mixed[0] if image.place.label == label) for label in (0, 1)
        )
        more = f" (and {len(mixed) - 1:,} more like it)" if len(mixed) > 1 else ""
        raise _refused(archive, f"{real!r} (real) and {fake!r} (fake) are the same file{more}")


def _report(
    images: Sequence[AuditedImage],
    layout: Layout,
    label_tables: dict[str, LabelTable],
    copies: Sequence[Sequence[AuditedImage]],
    *,
    seed: int,
    passed_over: int,
) -> AuditReport:
    stats = _by_class(images).map(lambda those: [image.stats for image in those if image.stats])

    def of_each(value: Callable[[ImageStats], str]) -> ByClass[Histogram]:
        return stats.map(lambda those: _histogram(map(value, those)))

    usable = [(image.stats.features, image.place.label) for image in images if image.stats]
    return AuditReport(
        layout=layout.name,
        images=len(images),
        usable=len(usable),
        unreadable=_unreadable(images),
        partitions=_count(images, lambda image: image.place.partition, layout.partitions),
        subjects=_count(images, lambda image: layout.subject(image.path), layout.subjects.values()),
        label_tables=label_tables,
        sizes=of_each(lambda one: one.size),
        modes=of_each(lambda one: one.mode),
        formats=of_each(lambda one: one.format),
        chroma_subsampling=of_each(lambda one: one.subsampling),
        resolutions=of_each(lambda one: one.resolution),
        quantisation_tables=stats.map(lambda those: _tables(one.tables for one in those)),
        metadata=stats.map(
            lambda those: {key: sum(key in one.metadata for one in those) for key in _METADATA}
        ),
        features=stats.map(lambda those: _features([one.features for one in those])),
        copies=_describe_copies(copies, layout),
        baselines=baselines([features for features, _ in usable], [label for _, label in usable], seed),
        passed_over=passed_over,
    )


def _by_class(images: Iterable[AuditedImage]) -> ByClass[list[AuditedImage]]:
    classes: tuple[list[AuditedImage], ...] = tuple([] for _ in CLASS_NAMES)
    for image in images:
        classes[image.place.label].append(image)
    return ByClass(*classes)


def _count(
    images: Iterable[AuditedImage], key: Callable[[AuditedImage], str | None], keys: Iterable[str]
) -> ByClass[Histogram]:
    """Count the images of each class by `key`, in the order of `keys`."""
    found = _by_class(images).map(lambda those: Counter(map(key, those)))
    return found.map(lambda counts: {key: counts[key] for key in keys})


def _histogram(values: Iterable[str]) -> Histogram:
    """Count values, the most frequent first; a long tail becomes one number."""
    ranked = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    tail = sum(count for _, count in ranked[_LINES:])
    return dict(ranked[:_LINES]) | ({_REST: tail} if tail else {})


def _unreadable(images: Iterable[AuditedImage]) -> Unreadable:
    bad = [image for image in images if image.stats is None]
    return Unreadable(
        images=_by_class(bad).map(len),
        reasons=_histogram(image.status for image in bad),
        examples=[image.path for image in bad[:_EXAMPLES]],
    )


def _tables(found: Iterable[Tables]) -> list[TableCount]:
    ranked = sorted(Counter(found).items(), key=lambda item: (-item[1], item[0].sha256))
    tail = sum(count for _, count in ranked[_LINES:])
    lines = [TableCount(*those, images=count) for those, count in ranked[:_LINES]]
    return lines + ([TableCount(_REST, None, False, tail)] if tail else [])


def _features(rows: Sequence[Features]) -> dict[str, Range]:
    return {
        name: Range(*(round(of(column), 6) for of in (min, median, max)))
        for name, column in zip(Features._fields, zip(*rows, strict=True), strict=False)
    }


def _describe_copies(copies: Sequence[Sequence[AuditedImage]], layout: Layout) -> Copies:
    across = [group for group in copies if len({image.place.partition for image in group}) > 1]
    between = Counter(
        "+".join(name for name in layout.partitions if name in {image.place.partition for image in group})
        for group in across
    )
    firsts = [group[0] for group in copies]
    return Copies(
        groups=len(copies),
        images=sum(map(len, copies)),
        groups_within_class=_by_class(firsts).map(len),
        groups_across_partitions={"all": len(across)} | dict(sorted(between.items())),
        subjects=_count(firsts, lambda image: layout.subject(image.path), layout.subjects.values()),
        examples=_examples(copies),
        examples_across_partitions=_examples(across),
    )


def _examples(groups: Sequence[Sequence[AuditedImage]]) -> list[list[str]]:
    return [[image.path for image in group[:_EXAMPLES]] for group in groups[:_EXAMPLES]]
