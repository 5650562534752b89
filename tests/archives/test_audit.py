"""The audit finds what was put into an archive, and refuses what cannot be right."""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.archives.archive import open_archive
from deepfake_ensemble.archives.audit import Audit, AuditParams, audit
from deepfake_ensemble.archives.index import IndexRow
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.images import decode
from errors_page import Documented
from pictures import encoded, picture

FACES = "real_vs_fake/real-vs-fake/"


def jpeg(seed: int, size: tuple[int, int] = (16, 12), mode: str = "RGB", **options: object) -> bytes:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def cifake(**options: object) -> dict[str, bytes]:
    """Return a CIFAKE archive of two images in each folder."""
    return {
        f"{partition}/{folder}/000{k}{' (4)' if k else ''}.jpg": jpeg(1_000 * i + k, **options)
        for i, (partition, folder) in enumerate((p, c) for p in ("train", "test") for c in ("REAL", "FAKE"))
        for k in range(2)
    }


def faces() -> dict[str, bytes]:
    """Return a faces archive of one image in each folder, and its tables of labels."""
    images = {f"{folder}a.jpg": jpeg(i) for i, folder in enumerate(LAYOUTS["faces"].folders())}
    tables = {
        f"{partition}.csv": (
            ",original_path,id,label,label_str,path\n"
            f"0,/x/a.jpg,a,1,real,{partition}/real/a.jpg\n"
            f"1,/x/a.jpg,a,0,fake,{partition}/fake/a.jpg\n"
        ).encode()
        for partition in ("train", "valid", "test")
    }
    return images | tables


def audited(
    tmp_path: Path, entries: Mapping[str, bytes], layout: str = "cifake", on_bad_image: str = "fail"
) -> Audit:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    params = AuditParams(on_bad_image=on_bad_image, seed=42)  # type: ignore[arg-type]
    with open_archive(path) as archive:
        found = audit(archive, LAYOUTS[layout], params)
    return replace(found, report=asdict(found.report))  # as the JSON file holds it


def refusal(
    tmp_path: Path, entries: Mapping[str, bytes], layout: str = "cifake", on_bad_image: str = "fail"
) -> str:
    with pytest.raises(UserError) as error:
        audited(tmp_path, entries, layout, on_bad_image)
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/set.zip: ")
    assert message.isprintable()
    return message.removeprefix(f"{tmp_path}/set.zip: ")


def test_the_index_lists_every_image_by_path(tmp_path: Path) -> None:
    rows = audited(tmp_path, cifake()).rows
    assert [row.path for row in rows] == sorted(cifake())
    assert [row.label for row in rows] == [1, 1, 0, 0, 1, 1, 0, 0]
    assert {row.status for row in rows} == {"ok"}
    assert len({row.sha256 for row in rows}) == 8


def test_the_order_of_the_archive_does_not_show(tmp_path: Path) -> None:
    entries = cifake() | {"test/FAKE/z.jpg": cifake()["test/FAKE/0000.jpg"]}
    shuffled = random.Random(0).sample(sorted(entries), len(entries))
    one = audited(tmp_path, entries)
    other = audited(tmp_path, {name: entries[name] for name in shuffled})
    assert one.rows == other.rows
    assert json.dumps(one.report) == json.dumps(other.report)


def test_the_report_counts_classes_partitions_and_subjects(tmp_path: Path) -> None:
    report = audited(tmp_path, cifake()).report
    assert (report["layout"], report["images"], report["usable"]) == ("cifake", 8, 8)
    assert report["partitions"] == {"real": {"train": 2, "test": 2}, "fake": {"train": 2, "test": 2}}
    assert report["subjects"]["fake"]["airplane"] == report["subjects"]["real"]["cat"] == 2
    assert report["subjects"]["fake"]["dog"] == 0


def test_a_resolution_is_what_the_file_states_and_none_is_made_up(tmp_path: Path) -> None:
    entries = cifake() | {"train/FAKE/b.jpg": jpeg(50, dpi=(96, 96)), "train/FAKE/c.jpg": jpeg(51)}
    assert audited(tmp_path, entries).report["resolutions"] == {
        "real": {"not stated": 4},
        "fake": {"not stated": 5, "96x96 dots per inch": 1},
    }


def test_the_report_says_how_images_were_saved(tmp_path: Path) -> None:
    entries = cifake(quality=75)
    entries |= {
        "train/FAKE/b.jpg": jpeg(50, size=(8, 9), quality=90, subsampling=0, progressive=True),
        "train/FAKE/c.jpg": jpeg(51, mode="L", quality=75, comment=b"made by a program"),
        "train/FAKE/d.jpg": jpeg(52, qtables=[[1 + i // 8 for i in range(64)]] * 2),
    }
    report = audited(tmp_path, entries).report
    assert report["sizes"] == {"real": {"16x12": 4}, "fake": {"16x12": 6, "8x9": 1}}
    assert report["modes"] == {"real": {"RGB": 4}, "fake": {"RGB": 6, "L": 1}}
    assert report["formats"] == {"real": {"JPEG": 4}, "fake": {"JPEG": 7}}
    assert report["chroma_subsampling"] == {
        "real": {"4:2:0": 4},
        "fake": {"4:2:0": 5, "4:4:4": 1, "none": 1},
    }
    assert report["metadata"]["real"]["progressive"] == 0
    assert report["metadata"]["fake"] | {"jfif": 0} == {
        "exif": 0,
        "icc_profile": 0,
        "jfif": 0,
        "adobe": 0,
        "comment": 1,
        "progressive": 1,
    }
    found = {
        name: [(t["quality"], t["standard"], t["images"]) for t in those]
        for name, those in report["quantisation_tables"].items()
    }
    assert found["real"] == [(75, True, 4)]
    assert found["fake"][0] == (75, True, 4)
    assert {(75, True, 1), (90, True, 1)} < set(found["fake"])  # the grey image has its luma table alone
    assert [standard for _, standard, _ in found["fake"]].count(False) == 1
    real, fake = report["quantisation_tables"]["real"], report["quantisation_tables"]["fake"]
    assert real[0]["sha256"] == fake[0]["sha256"]


def test_long_lists_are_cut_and_summed_up(tmp_path: Path) -> None:
    entries = cifake() | {f"train/FAKE/x{w}.jpg": jpeg(w, size=(w, 20), quality=w) for w in range(20, 50)}
    report = audited(tmp_path, entries).report
    sizes = report["sizes"]["fake"]
    assert len(sizes) == 21
    assert sizes["16x12"] == 4
    assert sizes["other"] == 11
    assert sum(sizes.values()) == 34
    tables = report["quantisation_tables"]["fake"]
    assert len(tables) == 21
    assert tables[-1] == {"sha256": "other", "quality": None, "standard": False, "images": 11}


def test_copies_are_found_within_a_class_and_across_partitions(tmp_path: Path) -> None:
    entries = cifake()
    entries |= {
        "test/FAKE/a (6).jpg": entries["train/FAKE/0001 (4).jpg"],
        "train/REAL/b.jpg": entries["train/REAL/0000.jpg"],
        "train/REAL/c.jpg": entries["train/REAL/0000.jpg"],
    }
    copies = audited(tmp_path, entries).report["copies"]
    assert (copies["groups"], copies["images"]) == (2, 5)
    assert copies["groups_within_class"] == {"real": 1, "fake": 1}
    assert copies["groups_across_partitions"] == {"all": 1, "train+test": 1}
    assert copies["subjects"]["real"]["airplane"] == 1
    assert copies["examples_across_partitions"] == [["test/FAKE/a (6).jpg", "train/FAKE/0001 (4).jpg"]]
    assert copies["examples"][1] == ["train/REAL/0000.jpg", "train/REAL/b.jpg", "train/REAL/c.jpg"]


def test_a_shortcut_shows_in_the_baselines(tmp_path: Path) -> None:
    entries = cifake()
    entries |= {f"train/FAKE/x{k}.jpg": jpeg(k, quality=40) for k in range(60, 80)}
    entries |= {f"train/REAL/x{k}.jpg": jpeg(k, quality=95) for k in range(80, 100)}
    report = audited(tmp_path, entries).report
    assert report["baselines"]["file_size"]["auc"] > 0.9
    assert report["baselines"]["file_size"]["fake_is"] == "lower"
    assert report["baselines"]["logistic"]["auc"] > 0.9
    assert report["baselines"]["brightness"]["auc"] < 0.8
    real, fake = (report["features"][name]["file_size"]["median"] for name in ("real", "fake"))
    assert fake < real
    json.dumps(report, allow_nan=False)


def test_files_with_both_labels_are_refused_by_name(tmp_path: Path, documented: Documented) -> None:
    entries = cifake()
    entries["test/FAKE/a.jpg"] = entries["train/REAL/0000.jpg"]
    line = refusal(tmp_path, entries)
    assert line == (
        "'train/REAL/0000.jpg' (real) and 'test/FAKE/a.jpg' (fake) are the same file; "
        "use the publisher's own archive"
    )
    documented("Data sets", "the same file in both classes", f"set.zip: {line}")
    entries["test/REAL/b.jpg"] = entries["train/FAKE/0000.jpg"]
    assert refusal(tmp_path, entries, on_bad_image="drop") == (
        "'train/REAL/0000.jpg' (real) and 'test/FAKE/a.jpg' (fake) are the same file (and 1 more like it); "
        "use the publisher's own archive"
    )


def with_bad_images() -> dict[str, bytes]:
    entries = cifake()
    return entries | {
        f"train/{name}/bad{k}.jpg": b"\xff\xd8 no" for k in range(2) for name in ("REAL", "FAKE")
    }


def test_bad_images_stop_the_audit_and_are_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, with_bad_images())
    assert message.startswith("4 of 12 images cannot be used ('train/FAKE/bad0.jpg': ")
    assert "'train/REAL/bad0.jpg'" in message
    assert message.endswith(
        "; and 1 more); use the publisher's own archive, or leave them out with audit.on_bad_image=drop"
    )


PICTURE = picture(1)
GREY = Image.fromarray(np.linspace(0, 255, 192).astype(np.uint8).reshape(12, 16))
DEEP = Image.fromarray(np.linspace(0, 65535, 192).astype(np.uint16).reshape(12, 16))


def vast() -> bytes:
    """Return a PNG that says it has 20,000 × 20,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    return encoded(PICTURE, "PNG", exif=exif)


def transparent() -> bytes:
    image = PICTURE.copy()
    image.putalpha(0)
    return encoded(image, "PNG")


# name of the case → the file, and why it is bad
BAD: dict[str, tuple[bytes, str]] = {
    "no bytes": (b"", "empty"),
    "a web page": (b"<html>Not found</html>", "not an image"),
    "a JPEG cut off before its pixels": (encoded(PICTURE)[:600], "damaged: Truncated File Read"),
    "a JPEG cut off in its pixels": (
        encoded(PICTURE)[:900],
        "damaged: image file is truncated (141 bytes not processed)",
    ),
    "a PNG cut off in its pixels": (encoded(PICTURE, "PNG")[:1000], "damaged: image file is truncated"),
    "20,000 × 20,000 pixels": (vast(), "too large"),
    "a number format whose range is unknown (32-bit TIFF)": (
        encoded(GREY.convert("I"), "TIFF"),
        "mode I: neither 8 nor 16 bits a channel",
    ),
    "a program (EPS)": (encoded(PICTURE, "EPS"), "not an image"),
}

# name of the case → the file, and the image that it is taken for
USED: dict[str, tuple[bytes, Image.Image]] = {
    "1 × 1 pixel": (encoded(picture(1, 1, 1), "PNG"), picture(1, 1, 1)),
    "a PNG named .jpg": (encoded(PICTURE, "PNG"), PICTURE),
    "a WebP named .jpg": (encoded(PICTURE, "WEBP", lossless=True), PICTURE),
    "a TIFF named .jpg": (encoded(PICTURE, "TIFF"), PICTURE),
    "an animation: its first frame": (
        encoded(PICTURE, "TIFF", save_all=True, append_images=[picture(2)]),
        PICTURE,
    ),
    "CMYK": (
        encoded(PICTURE.convert("CMYK"), "TIFF"),
        PICTURE.convert("CMYK").convert("RGB"),
    ),
    "greyscale": (encoded(GREY, "PNG"), GREY.convert("RGB")),
    "transparency: ignored": (transparent(), PICTURE),
    "16 bits a channel: the upper 8": (
        encoded(DEEP, "PNG"),
        Image.fromarray((np.asarray(DEEP) >> 8).astype(np.uint8)).convert("RGB"),
    ),
    "turned by its EXIF data: as it is stored": (turned(), PICTURE),
}


@pytest.mark.parametrize("case", BAD)
def test_every_kind_of_bad_image_is_refused_by_name(
    case: str, tmp_path: Path, documented: Documented
) -> None:
    content, reason = BAD[case]
    message = refusal(tmp_path, cifake() | {"train/REAL/x.jpg": content})
    assert message == (
        f"1 of 9 images cannot be used ('train/REAL/x.jpg': {reason}); use the publisher's own archive, or"
        " leave them out with audit.on_bad_image=drop"
    )
    documented("Images", case, f"set.zip: {message}")


@pytest.mark.parametrize("case", USED)
def test_every_other_image_is_used_as_8_bit_rgb(case: str, tmp_path: Path, documented: Documented) -> None:
    content, image = USED[case]
    rows = audited(tmp_path, cifake() | {"train/REAL/x.jpg": content}).rows
    assert [row.status for row in rows] == ["ok"] * 9
    assert np.array_equal(np.asarray(decode(content)), np.asarray(image))
    documented("Images", case, "nothing: it is used")


def test_bad_images_can_be_left_out_and_are_listed(tmp_path: Path) -> None:
    # Unreadable files may well be identical across classes: they are no images.
    result = audited(tmp_path, with_bad_images(), on_bad_image="drop")
    bad = [row for row in result.rows if row.status != "ok"]
    assert [row.path for row in bad] == [f"train/{n}/bad{k}.jpg" for n in ("FAKE", "REAL") for k in range(2)]
    assert len(result.rows) == 12
    report = result.report
    assert (report["images"], report["usable"]) == (12, 8)
    assert report["unreadable"]["images"] == {"real": 2, "fake": 2}
    assert report["unreadable"]["reasons"] == {bad[0].status: 4}
    assert report["unreadable"]["examples"] == [row.path for row in bad]
    assert report["copies"]["groups"] == 0


def test_the_tables_of_the_faces_agree_with_its_folders(tmp_path: Path) -> None:
    result = audited(tmp_path, faces(), "faces")
    assert result.rows[0] == IndexRow(f"{FACES}test/fake/a.jpg", 1, result.rows[0].sha256, "ok")
    assert list(result.report["label_tables"]) == ["test.csv", "train.csv", "valid.csv"]
    assert result.report["label_tables"]["train.csv"] == {
        "rows": 2,
        "rows_without_image": 0,
        "images_without_row": 0,
    }


def test_the_tables_of_the_faces_may_be_absent(tmp_path: Path) -> None:
    images = {name: content for name, content in faces().items() if not name.endswith(".csv")}
    assert audited(tmp_path, images, "faces").report["label_tables"] == {}


def test_rows_and_images_without_counterpart_are_counted(tmp_path: Path) -> None:
    entries = faces()
    entries["train.csv"] = entries["train.csv"].replace(b"fake/a.jpg", b"fake/b.jpg")
    assert audited(tmp_path, entries, "faces").report["label_tables"]["train.csv"] == {
        "rows": 2,
        "rows_without_image": 1,
        "images_without_row": 1,
    }


def test_a_table_that_contradicts_the_folders_is_refused(tmp_path: Path, documented: Documented) -> None:
    entries = faces()
    entries["valid.csv"] = entries["valid.csv"].replace(b",0,fake,", b",1,real,")
    line = refusal(tmp_path, entries, "faces")
    assert line == (
        f"'valid.csv' calls '{FACES}valid/fake/a.jpg' real, its folder says the opposite; "
        "use the publisher's own archive"
    )
    documented("Data sets", "its table contradicts its folders", f"set.zip: {line}")


def test_a_broken_table_is_refused(tmp_path: Path, documented: Documented) -> None:
    line = refusal(tmp_path, faces() | {"valid.csv": b"a\n1\n"}, "faces")
    assert line == (
        "'valid.csv' is no table of labels (line 2 lacks a path or a label of 0 or 1); "
        "use the publisher's own archive"
    )
    documented("Data sets", "its table is broken", f"set.zip: {line}")


def test_another_layout_than_declared_is_refused(tmp_path: Path, documented: Documented) -> None:
    line = refusal(tmp_path, cifake(), "faces")
    assert line.endswith("; it looks like the layout 'cifake'; use the publisher's own archive")
    documented("Data sets", "another data set than declared", f"set.zip: {line}")


def test_a_file_that_has_no_place_is_refused(tmp_path: Path, documented: Documented) -> None:
    line = refusal(tmp_path, cifake() | {"notes.exe": b""})
    assert line.startswith("entry 'notes.exe' has no place in the layout 'cifake'")
    documented("Data sets", "a file that does not belong there", f"set.zip: {line}")


def test_what_macos_adds_to_an_archive_is_passed_over_and_counted(tmp_path: Path) -> None:
    added = {f"__MACOSX/{name.replace('/0', '/._0')}": b"\0\5\x16\7" for name in cifake()}
    as_published = audited(tmp_path, cifake())
    packed_again = audited(tmp_path, cifake() | {".DS_Store": b"Bud1", "train/.DS_Store": b"Bud1"} | added)
    assert packed_again.rows == as_published.rows
    assert packed_again.report == as_published.report | {"passed_over": len(cifake()) + 2}
    assert as_published.report["passed_over"] == 0


def test_a_class_without_images_is_refused(tmp_path: Path, documented: Documented) -> None:
    line = refusal(tmp_path, {name: it for name, it in cifake().items() if "test/FAKE" not in name})
    assert line == (
        "there is no image in 'test/FAKE/', which the layout 'cifake' needs; use the publisher's own archive"
    )
    documented("Data sets", "a class folder that is missing or empty", f"set.zip: {line}")
