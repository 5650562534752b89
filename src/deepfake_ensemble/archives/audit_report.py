"""What an audit says of a data set, as reports/data/SET.json holds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")

# How many images there are of each kind.
Histogram = dict[str, int]


@dataclass(frozen=True)
class ByClass(Generic[T]):
    """What is said of the images of either class."""

    real: T
    fake: T

    def map(self, function: Callable[[T], U]) -> "ByClass[U]":
        """Return what `function` makes of either."""
        return ByClass(function(self.real), function(self.fake))


@dataclass(frozen=True)
class Unreadable:
    """Images that cannot be read: their number, why, and the first paths."""

    images: ByClass[int]
    reasons: Histogram
    examples: list[str]


@dataclass(frozen=True)
class LabelTable:
    """How one of the publisher's tables of labels agrees with the folders."""

    rows: int
    rows_without_image: int
    images_without_row: int


@dataclass(frozen=True)
class TableCount:
    """JPEG quantisation tables, see `quantisation.Tables`, and how many images have them."""

    sha256: str
    quality: int | None
    standard: bool
    images: int


@dataclass(frozen=True)
class Range:
    """The values of a trivial feature."""

    min: float
    median: float
    max: float


@dataclass(frozen=True)
class Copies:
    """Groups of byte-identical images, none of which has both labels.

    groups_across_partitions: of which images lie in several of the publisher's parts, "all" and by the parts'
    names with + between; subjects: what the groups show.
    """

    groups: int
    images: int
    groups_within_class: ByClass[int]
    groups_across_partitions: Histogram
    subjects: ByClass[Histogram]
    examples: list[list[str]]
    examples_across_partitions: list[list[str]]


@dataclass(frozen=True)
class Baseline:
    """How well one trivial feature tells the classes apart: AUC, folded to 0.5 or more, and which way."""

    auc: float
    fake_is: str


@dataclass(frozen=True)
class LogisticBaseline:
    """The same of a logistic regression on all of them, out of fold on n images."""

    auc: float
    accuracy: float
    folds: int
    n: int


@dataclass(frozen=True)
class Baselines:
    """What can be told about a class without looking; None where there are too few images."""

    file_size: Baseline | None
    brightness: Baseline | None
    sharpness: Baseline | None
    logistic: LogisticBaseline | None


@dataclass(frozen=True)
class AuditReport:
    """All that is said of a data set.

    subjects: what the images show, by the publisher's names; label_tables: by file; chroma_subsampling: as
    4:2:0; metadata: how many images carry it; features: by their names, of images that can be read.
    """

    layout: str
    images: int
    usable: int
    unreadable: Unreadable
    partitions: ByClass[Histogram]
    subjects: ByClass[Histogram]
    label_tables: dict[str, LabelTable]
    sizes: ByClass[Histogram]
    modes: ByClass[Histogram]
    formats: ByClass[Histogram]
    chroma_subsampling: ByClass[Histogram]
    quantisation_tables: ByClass[list[TableCount]]
    metadata: ByClass[Histogram]
    features: ByClass[dict[str, Range]]
    copies: Copies
    baselines: Baselines
