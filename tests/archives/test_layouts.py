"""Where the publishers put their images, and what a name says of an image."""

import pytest

from deepfake_ensemble.archives.layouts import FAKE, LAYOUTS, REAL, Place, is_left_behind

FACES = LAYOUTS["faces"]
CIFAKE = LAYOUTS["cifake"]
FACES_NAMES = [f"{folder}1.jpg" for folder in FACES.folders()]
CIFAKE_NAMES = [f"{folder}1.jpg" for folder in CIFAKE.folders()]
FACES_PATTERN = "real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}/*.jpg"


@pytest.mark.parametrize(
    ("layout", "name", "place"),
    [
        ("faces", "real_vs_fake/real-vs-fake/train/real/00026.jpg", Place("train", REAL)),
        ("faces", "real_vs_fake/real-vs-fake/valid/fake/0LUFDJNRX4.jpg", Place("valid", FAKE)),
        ("faces", "real_vs_fake/real-vs-fake/test/fake/A.JPEG", Place("test", FAKE)),
        ("faces", "train.csv", None),
        ("faces", "real_vs_fake/real-vs-fake/train/real/00026.png", None),
        ("faces", "real_vs_fake/real-vs-fake/train/REAL/00026.jpg", None),
        ("faces", "real_vs_fake/real-vs-fake/train/real/x/00026.jpg", None),
        ("faces", "real-vs-fake/train/real/00026.jpg", None),
        ("cifake", "train/FAKE/1000 (10).jpg", Place("train", FAKE)),
        ("cifake", "test/REAL/0999.jpg", Place("test", REAL)),
        ("cifake", "valid/REAL/0999.jpg", None),
        ("cifake", "test/real/0999.jpg", None),
    ],
)
def test_a_name_says_partition_and_label(layout: str, name: str, place: Place | None) -> None:
    assert LAYOUTS[layout].place(name) == place


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("train/FAKE/1000.jpg", "airplane"),
        ("train/FAKE/1000 (2).jpg", "automobile"),
        ("test/REAL/0000 (4).jpg", "cat"),
        ("test/REAL/0000 (10).jpg", "truck"),
        ("test/REAL/0000 (11).jpg", None),
        ("test/REAL/0000 (1).jpg", None),
    ],
)
def test_the_name_of_a_cifake_image_says_what_it_shows(name: str, subject: str | None) -> None:
    assert CIFAKE.subject(name) == subject
    assert FACES.subject(name) is None


def test_complete_archives_give_no_complaint() -> None:
    assert FACES.problem([*FACES_NAMES, "train.csv"]) is None
    assert CIFAKE.problem(CIFAKE_NAMES) is None


LEFT_BEHIND = [
    "__MACOSX/._train.csv",
    "__MACOSX/real_vs_fake/real-vs-fake/train/real/._00026.jpg",
    "real_vs_fake/real-vs-fake/train/real/._00026.jpg",
    "real_vs_fake/.DS_Store",
    ".DS_Store",
    "real_vs_fake/Thumbs.db",
    "desktop.ini",
]


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_an_operating_system_leaves_is_no_image_and_no_stranger(name: str) -> None:
    assert is_left_behind(name)
    assert FACES.place(name) is None
    assert FACES.problem([*FACES_NAMES, name]) is None


@pytest.mark.parametrize("name", ["notes.txt", "__MACOSX", "my.DS_Store", "train/REAL/0001.jpg"])
def test_nothing_else_is_passed_over(name: str) -> None:
    assert not is_left_behind(name)


def test_a_stranger_is_named() -> None:
    assert FACES.problem([*FACES_NAMES, "notes.txt"]) == (
        f"entry 'notes.txt' has no place in the layout 'faces', {FACES_PATTERN}"
    )


def test_another_data_set_than_declared_is_recognised() -> None:
    assert FACES.problem(CIFAKE_NAMES) == (
        f"entry 'train/REAL/1.jpg' has no place in the layout 'faces', {FACES_PATTERN}; "
        "it looks like the layout 'cifake'"
    )
    assert CIFAKE.problem([*CIFAKE_NAMES, *FACES_NAMES]) == (
        "entry 'real_vs_fake/real-vs-fake/train/real/1.jpg' has no place in the layout 'cifake', "
        "{train,test}/{REAL,FAKE}/*.jpg; it looks like the layout 'faces'"
    )


@pytest.mark.parametrize("missing", FACES_NAMES)
def test_a_class_without_images_is_named(missing: str) -> None:
    problem = FACES.problem([name for name in FACES_NAMES if name != missing])
    assert problem == f"there is no image in {missing[:-5]!r}, which the layout 'faces' needs"


HEADER = ",original_path,id,label,label_str,path\n"


def test_a_table_of_labels_is_read_with_1_as_real() -> None:
    table = HEADER + "0,/x/26.jpg,26,1,real,train/real/26.jpg\n1,/x/A.jpg,A,0,fake,train/fake/A.jpg\n"
    assert FACES.table_labels(table.encode()) == {
        "real_vs_fake/real-vs-fake/train/real/26.jpg": REAL,
        "real_vs_fake/real-vs-fake/train/fake/A.jpg": FAKE,
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"a,b\n1,2\n", "line 2 lacks a path or a label of 0 or 1"),
        (HEADER.encode() + b"0,,26,2,real,train/real/26.jpg\n", "line 2 lacks a path or a label of 0 or 1"),
        (HEADER.encode() + b"0,,26,1,real\n", "line 2 lacks a path or a label of 0 or 1"),
        (HEADER.encode() + b"0,,26,1,fake,a\n", "line 2 has the label 1 and calls it 'fake'"),
        (HEADER.encode() + b"0,,,1,real,a\n1,,,0,fake,a\n", "line 3 gives 'a' another label than before"),
        (HEADER.encode() + b'0,,,1,real,"a\n', "after line 1: unexpected end of data"),
        (
            HEADER.encode() + b"0,,,1,real," + b"a" * 200_000,
            "after line 1: field larger than field limit (131072)",
        ),
    ],
)
def test_a_broken_table_of_labels_says_where(table: bytes, message: str) -> None:
    with pytest.raises(ValueError) as error:
        FACES.table_labels(table)
    assert str(error.value) == message
