"""How the two publishers lay out their archives, as data: another publisher is another entry of `LAYOUTS`."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FAKE = 1
REAL = 0
_IMAGE_NAME = re.compile(r"[^/]+\.jpe?g", re.IGNORECASE)
# What macOS and Windows leave in folders, and so in what is packed of them again.
_LEFT_BEHIND = re.compile(r"__MACOSX/.*|(.*/)?(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)")


@dataclass(frozen=True)
class Place:
    """Where an image lies in its archive, which says what it is.

    Attributes:
        partition: the publisher's own split: train, valid or test.
        label: 1 = fake, 0 = real.
    """

    partition: str
    label: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Images at `ROOT/PARTITION/CLASS/*.jpg`, and perhaps tables of labels beside them.

    Attributes:
        name: of the layout, in params.yaml.
        root: folder in front of the partitions, with its slash; may be empty.
        partitions: the publisher's own splits.
        classes: name of the class folder → label.
        label_tables: tables with the columns `path` (below `root`) and `label`, where 1 = real, unlike ours.
        subjects: what a suffix says that an image shows: `0001 (4).jpg` is a cat; empty if names say nothing.
    """

    name: str
    root: str
    partitions: tuple[str, ...]
    classes: Mapping[str, int]
    label_tables: tuple[str, ...] = ()
    subjects: Mapping[str, str] = field(default_factory=dict)

    def place(self, name: str) -> Place | None:
        """Return where the image `name` lies, or None if it is not an image's place in this layout."""
        if not name.startswith(self.root) or is_left_behind(name):
            return None
        parts = name[len(self.root) :].split("/")
        if len(parts) != 3 or parts[0] not in self.partitions or parts[1] not in self.classes:
            return None
        return Place(parts[0], self.classes[parts[1]]) if _IMAGE_NAME.fullmatch(parts[2]) else None

    def tables_in(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are tables of labels, sorted."""
        return sorted(set(self.label_tables) & set(names))

    def folders(self) -> dict[str, Place]:
        """Return every class folder (with its slash) that an archive must fill."""
        return {
            f"{self.root}{partition}/{folder}/": Place(partition, label)
            for partition in self.partitions
            for folder, label in self.classes.items()
        }

    def pattern(self) -> str:
        """Return the layout in a line, for messages."""
        return f"{self.root}{{{','.join(self.partitions)}}}/{{{','.join(self.classes)}}}/*.jpg"

    def subject(self, name: str) -> str | None:
        """Return what the image shows (CIFAKE: the CIFAR-10 class), or None if its name does not say."""
        suffix = re.search(r" \((\d+)\)\.[^.]+$", name)
        return self.subjects.get(suffix[1] if suffix else "")

    def problem(self, names: Iterable[str]) -> str | None:
        """Return what is wrong with an archive of these names: the first stranger, or an empty class.

        Args:
            names: of all files in the archive.

        Returns:
            What is wrong, for a message that names the archive; None if nothing is.
        """
        filled = set()
        for name in names:
            place = self.place(name)
            if place:
                filled.add(place)
            elif name not in self.label_tables and not is_left_behind(name):
                layout = f"the layout {self.name!r}, {self.pattern()}"
                return f"entry {name!r} has no place in {layout}{_likely(name)}"
        for folder, place in self.folders().items():
            if place not in filled:
                return f"there is no image in {folder!r}, which the layout {self.name!r} needs"
        return None

    def table_labels(self, table: bytes) -> dict[str, int]:
        """Read a table of labels: name of the image in the archive → our label (1 = fake).

        Raises:
            ValueError: it is no such table; the message says why and where.
        """
        try:
            rows = csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline=""), strict=True)
            labels: dict[str, int] = {}
            for row in rows:
                path, label, word = row.get("path"), row.get("label"), row.get("label_str")
                if not path or label not in ("0", "1"):
                    raise ValueError(f"line {rows.line_num} lacks a path or a label of 0 or 1")
                ours = REAL if label == "1" else FAKE
                if word is not None and self.classes.get(word) != ours:
                    raise ValueError(f"line {rows.line_num} has the label {label} and calls it {word!r}")
                name = self.root + path
                if labels.setdefault(name, ours) != ours:
                    raise ValueError(f"line {rows.line_num} gives {path!r} another label than before")
        except UnicodeDecodeError as error:
            raise ValueError("it is not UTF-8 text") from error
        except csv.Error as error:
            raise ValueError(f"after line {rows.line_num}: {error}") from error
        return labels


def is_left_behind(name: str) -> bool:
    """Tell whether a file is one that macOS or Windows leaves in folders, and nothing of the publisher's."""
    return _LEFT_BEHIND.fullmatch(name) is not None


def _likely(name: str) -> str:
    others = [layout.name for layout in LAYOUTS.values() if layout.place(name)]
    return f"; it looks like the layout {others[0]!r}" if others else ""


# Krizhevsky 2009, "Learning multiple layers of features from tiny images"; numbered by Bird & Lotfi 2024.
_CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            name="faces",
            root="real_vs_fake/real-vs-fake/",
            partitions=("train", "valid", "test"),
            classes={"real": REAL, "fake": FAKE},
            label_tables=("train.csv", "valid.csv", "test.csv"),
        ),
        Layout(
            name="cifake",
            root="",
            partitions=("train", "test"),
            classes={"REAL": REAL, "FAKE": FAKE},
            subjects={"" if number == 1 else str(number): cls for number, cls in enumerate(_CIFAR_10, 1)},
        ),
    )
}
