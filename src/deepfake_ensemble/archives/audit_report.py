"""What an audit says of a data set, as reports/data/SET.json holds it."""

from collections.abc import Callable
from dataclasses import dataclass, field
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

    Attributes:
        groups: how many.
        images: in them.
        groups_within_class: of each class.
        groups_across_partitions: with images in several of the publisher's parts: "all" of them, and by the
            parts' names with + between.
        subjects: what the groups of each class show.
        examples: the paths of some groups.
        examples_across_partitions: of some that lie in several parts.
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
    """How well one trivial feature tells the classes apart.

    Attributes:
        auc: folded to 0.5 or more.
        fake_is: whether fake images have the "higher" or the "lower" values, or "the same".
    """

    auc: float
    fake_is: str


@dataclass(frozen=True)
class LogisticBaseline:
    """How well a logistic regression on all trivial features tells the classes apart.

    Attributes:
        auc: of its predictions out of fold.
        accuracy: of the same, at a threshold of 0.5.
        folds: of the cross-validation.
        n: how many images.
    """

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
    """All that is said of a data set; what is told of their files and pixels is of images that can be read.

    Attributes:
        layout: of the archive.
        images: how many.
        usable: how many of them can be read.
        unreadable: the others.
        partitions: how many images lie in each of the publisher's parts.
        subjects: how many show what, by the publisher's names.
        label_tables: how the publisher's tables agree, by file.
        sizes: as 256x256.
        modes: as Pillow calls them.
        formats: likewise.
        chroma_subsampling: as 4:2:0.
        quantisation_tables: the most frequent first.
        metadata: how many images carry each kind.
        features: the trivial ones, by name.
        copies: byte-identical images.
        baselines: how well the trivial features tell the classes apart.
        resolutions: as the files state them, as 96x96 dots per inch.
        passed_over: how many files there are that macOS or Windows left.
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
    resolutions: ByClass[Histogram] = field(default_factory=lambda: ByClass({}, {}))
    passed_over: int = 0
