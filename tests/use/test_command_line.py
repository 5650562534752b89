"""The command, as it is typed: what it prints, its exit code, and that TensorFlow stays out of it."""

import array
import csv
import fcntl
import importlib.metadata
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx
import pytest
from PIL import Image

import model_file
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.reading.images import BadImage, pixels
from deepfake_ensemble.use.inputs import Inputs, StorageFault
from deepfake_ensemble.use.verdicts import decision_rule
from pictures import encoded, picture
from use_images import BAD, GOOD

ROOT = Path(__file__).parents[2]
DETECTORS = ["cnn", "resnet50", "xception", "efficientnet_b4", "ensemble"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model file, and where the training packages are out of reach."""
    folder = tmp_path_factory.mktemp("use")
    model_file.write(folder / "models/ensemble.onnx")
    blocked = folder / "blocked"
    blocked.mkdir()
    for name in (
        "tensorflow",
        "keras",
        "h5py",
        "pandas",
        "sklearn",
        "scipy",
        "matplotlib",
        "yaml",
        "pydantic",
    ):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is not for this command')\n")
    model_file.folder_of_pictures(folder / "pictures", 5)
    kinds = folder / "kinds"
    kinds.mkdir()
    whole = (folder / "models/ensemble.onnx").read_bytes()
    (kinds / "half.onnx").write_bytes(whole[: len(whole) // 2])
    (kinds / "empty.onnx").write_bytes(b"")
    _zip(kinds / "cnn.keras", "model.weights.h5")
    return folder


def started(folder: Path, *arguments: str, **pipes: Any) -> subprocess.Popen[bytes]:
    """Start the command and go on while it runs."""
    program = [sys.executable, "-m", "deepfake_ensemble.use.command_line", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(program, cwd=folder, env=environment, stderr=subprocess.PIPE, **pipes)


def run(folder: Path, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join([str(folder / "blocked"), str(ROOT / "src")])
    return subprocess.run(
        [sys.executable, "-m", "deepfake_ensemble.use.command_line", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        input=stdin,
        capture_output=True,
        check=False,
    )


def records(folder: Path, *arguments: str | Path, stdin: bytes = b"", code: int = 0) -> list[dict[str, Any]]:
    done = run(folder, "predict", "--format", "json", *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_probabilities_are_those_of_the_pipelines_pixels(folder):
    found = records(folder, "pictures")
    assert [row["image"] for row in found] == [f"pictures/{i:05}.jpg" for i in range(5)]
    for row in found:
        expected = model_file.p_fake(pixels((folder / row["image"]).read_bytes(), 32)[None])
        assert {name: row[name] for name in DETECTORS} == pytest.approx(
            {name: float(expected[name][0]) for name in DETECTORS}, abs=1e-6
        )
        assert row["verdict"] == ("fake" if row["ensemble"] >= 0.5 else "real")
        assert row["error"] is None


def test_files_folders_patterns_archives_and_standard_input_are_all_looked_at(folder):
    data = (folder / "pictures/00001.jpg").read_bytes()
    nested = folder / "nested/deeper"
    nested.mkdir(parents=True)
    (nested / "one.PNG").write_bytes(encoded(picture(7), "PNG"))
    (nested / "notes.txt").write_text("passed over")
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        archive.writestr("a/two.jpg", data)
        archive.writestr("a/readme.txt", "passed over")
    found = records(
        folder,
        "pictures/00000.jpg",
        "nested",
        "pictures/0000[23].jpg",
        "**/deeper/*.PNG",
        "some.zip",
        "-",
        stdin=data,
    )
    assert [row["image"] for row in found] == [
        "pictures/00000.jpg",
        "nested/deeper/one.PNG",
        "pictures/00002.jpg",
        "pictures/00003.jpg",
        "nested/deeper/one.PNG",
        "some.zip/a/two.jpg",
        "standard input",
    ]
    assert found[-1]["ensemble"] == found[-2]["ensemble"]


@pytest.mark.parametrize("pattern", ["mixed/**", "mixed/deeper/*"])
def test_a_pattern_finds_each_image_once_and_nothing_else(tmp_path, folder, pattern):
    deeper = tmp_path / "mixed/deeper"
    deeper.mkdir(parents=True)
    (deeper / "one.png").write_bytes(encoded(picture(7), "PNG"))
    (deeper / "notes.txt").write_text("passed over")
    assert [row["image"] for row in records(folder, f"{tmp_path}/{pattern}")] == [str(deeper / "one.png")]


def test_a_name_that_is_too_long_ends_no_run(folder):
    done = run(folder, "predict", "--format", "json", "x" * 5_000, "pictures/00000.jpg")
    assert done.returncode == 1
    long, good = json.loads(done.stdout)
    assert long["error"] == "file name too long" and good["error"] is None


def test_an_image_is_turned_as_its_exif_says(folder):
    image = picture(3, 48, 24)
    for orientation, upright in (
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_270),
        (8, Image.Transpose.ROTATE_90),
    ):
        exif = Image.Exif()
        exif[0x0112] = orientation
        (folder / "held.png").write_bytes(encoded(image, "PNG", exif=exif))
        (folder / "upright.png").write_bytes(encoded(image.transpose(upright), "PNG"))
        held, expected = records(folder, "held.png", "upright.png")
        assert held["ensemble"] == expected["ensemble"]


# What cannot be used


def test_each_unusable_image_is_a_row_with_its_reason_and_the_others_are_classified(tmp_path, folder):
    for name, data in (BAD | GOOD).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    found = {
        Path(row["image"]).name: row for row in records(folder, tmp_path, tmp_path / "absent.jpg", code=1)
    }
    assert {name: row["error"] for name, row in found.items() if row["error"]} == {
        "absent.jpg": "no such file or directory",
        "empty.jpg": "empty",
        "text.jpg": "a text",
        "truncated.jpg": "damaged: Truncated File Read",
        "half.jpg": found["half.jpg"]["error"],
        "huge.png": "too large: at most 64 megapixels are read",
        "float.tiff": "floating-point values in it, whose range nothing tells; save it with 8 or 16 bits a"
        " channel",
        "pipe.jpg": "not a file",
    }
    assert found["half.jpg"]["error"].startswith("damaged: ")
    for name in GOOD:
        assert 0 <= found[name]["ensemble"] <= 1, name
    for row in found.values():
        assert (row["verdict"] is None) == (row["ensemble"] is None) == (row["error"] is not None)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"no zip"), "not a zip archive"),
        (
            lambda path: path.write_bytes(b"Rar!\x1a\x07 and more"),
            "if it is another kind of archive, unpack it",
        ),
        (lambda path: zipfile.ZipFile(path, "w").close(), "no file in this archive ends like an image"),
        (lambda path: _zip(path, "../out.jpg"), "leads out of the archive"),
        (lambda path: _zip(path, "zeros.jpg", b"\0" * 20_000_000), "decompression bomb"),
    ],
)
def test_an_archive_is_untrusted(tmp_path, folder, make, reason):
    make(tmp_path / "some.zip")
    (row,) = records(folder, tmp_path / "some.zip", code=1)
    assert reason in row["error"]


def _zip(path: Path, name: str, data: bytes = b"") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)


@pytest.mark.parametrize("arguments", [["'*.jpg'"], ["nothing*"], ["blocked"]])
def test_where_there_is_no_image_a_row_says_so(folder, arguments):
    (row,) = records(folder, *arguments, code=1)
    assert row["error"]


# Side files, archives made at home, storage that fails


def test_what_is_passed_over_is_counted_by_kind_and_costs_no_exit_code(tmp_path, folder):
    beside = (
        "._a.jpg",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "film.MOV",
        "film2.mp4",
        "a.AAE",
        "x.jxl",
        "q",
    )
    for name in (*beside, "@eaDir/a.jpg", ".thumbnails/a.jpg", "__MACOSX/a.jpg", ".hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "a.jpg").write_bytes(encoded(picture(1)))
    done = run(folder, "predict", "--format", "json", tmp_path)
    assert done.returncode == 0
    assert [row["image"] for row in json.loads(done.stdout)] == [str(tmp_path / "a.jpg")]
    said = (
        "passed over: 3 files of macOS, 2 files of Windows, 1 file of a network drive, 2 hidden files,"
        " 2 videos, 1 image of another format, 1 text or table, 1 other file"
    )
    assert said in done.stderr.decode()
    assert [row["image"] for row in records(folder, f"{tmp_path}/**")] == [str(tmp_path / "a.jpg")]


def test_who_gives_a_folder_with_a_zip_in_it_is_told_how_the_zip_is_opened(tmp_path, folder):
    (tmp_path / "a.jpg").write_bytes(encoded(picture(1)))
    _zip(tmp_path / "holiday.zip", "b.jpg")
    told = run(folder, "predict", tmp_path).stderr.decode()
    assert "passed over: 1 archive; a zip is opened where it is named itself" in told
    assert "passed over" not in run(folder, "predict", tmp_path / "a.jpg", "pictures").stderr.decode()


def test_a_zip_made_at_home_is_read_entry_by_entry(tmp_path, folder):
    photo = encoded(picture(1))
    path = tmp_path / "home.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (
            "a.jpg",
            "Br\N{LATIN SMALL LETTER U WITH DIAERESIS}cke.jpg",
            "IMG\\two.jpg",
            "secret.jpg",
        ):
            archive.writestr(name, photo)
        archive.writestr("cut.jpg", photo)
        archive.writestr("__MACOSX/._a.jpg", b"\0\5\x16\7")
        archive.writestr("film.mp4", b"film")
    data = bytearray(path.read_bytes())
    utf8 = "Brücke".encode()
    while utf8 in data:  # as Windows and DOS have it, and no flag says UTF-8
        at = data.index(utf8)
        flags = at - 46 + 8 if data[at - 46 : at - 42] == b"PK\x01\x02" else at - 30 + 6
        data[flags + 1] &= ~8
        data[at : at + len(utf8)] = b"Br\x81_cke"
    for entry in zipfile.ZipFile(io.BytesIO(data)).infolist():
        if entry.filename == "cut.jpg":
            data[entry.header_offset + 60] ^= 0xFF
        if entry.filename == "secret.jpg":
            data[entry.header_offset + 6] |= 1
            data[data.rindex(b"secret.jpg") - 46 + 8] |= 1
    path.write_bytes(data)
    done = run(folder, "predict", "--format", "json", path)
    found = {row["image"].removeprefix(f"{path}/"): row["error"] for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found == {
        "Brü_cke.jpg": None,
        "IMG/two.jpg": None,
        "a.jpg": None,
        "cut.jpg": "entry 'cut.jpg' fails its checksum; unpack the archive, and give the folder",
        "secret.jpg": "entry 'secret.jpg' is encrypted; unpack the archive, and give the folder",
    }
    assert b"passed over: 1 file of macOS, 1 video" in done.stderr


def test_an_address_is_kept_as_typed_and_not_fetched(folder):
    (row,) = records(folder, "https://example.org/a.jpg?size=2", code=1)
    assert row["image"] == "https://example.org/a.jpg?size=2"
    assert row["error"] == "addresses are not fetched; save the image and give its file"


def test_a_fault_of_storage_ends_the_run_and_blames_no_picture(folder):
    # Reading the memory of a process where it has none gives the error that a broken disk does.
    done = run(folder, "predict", "--format", "jsonl", "pictures", "/proc/self/mem", "pictures/00000.jpg")
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 5
    assert (
        "/proc/self/mem: input/output error; the storage is at fault" in done.stderr.decode().splitlines()[-1]
    )


def test_a_full_disk_is_a_fault_of_storage(folder):
    with Path("/dev/full").open("wb") as full, started(folder, "predict", "pictures", stdout=full) as done:
        assert done.wait(60) == 3
        assert done.stderr and b"no space left on device" in done.stderr.read()


def test_an_archive_that_is_closed_under_the_reader_is_a_fault_of_storage(tmp_path):
    _zip(tmp_path / "some.zip", "a.jpg", encoded(picture(1)))
    inputs = Inputs([str(tmp_path / "some.zip")])
    inputs.close()
    with pytest.raises(StorageFault, match=r"some.zip: was closed while it was read"):
        next(iter(inputs)).read()


def test_a_folder_that_vanishes_is_a_fault_of_storage_and_a_file_that_does_is_not(tmp_path):
    for name in ("gone/a.jpg", "kept/a.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    gone, kept = Inputs([str(tmp_path)])
    shutil.rmtree(tmp_path / "gone")
    (tmp_path / "kept/a.jpg").unlink()
    with pytest.raises(StorageFault, match="gone: was there, and is gone"):
        gone.read()
    with pytest.raises(BadImage, match="no such file"):
        kept.read()


# How results look


def test_all_formats_say_the_same(folder):
    found = records(folder, "pictures")
    lines = run(folder, "predict", "--format", "jsonl", "pictures").stdout.decode().splitlines()
    assert [json.loads(line) for line in lines] == found
    table = run(folder, "predict", "--format", "csv", "pictures").stdout.decode()
    for row, record in zip(csv.DictReader(io.StringIO(table)), found, strict=True):
        faces = {"face", "left", "top", "right", "bottom", "angle"}  # that nobody looked for
        for name, text in row.items():
            value = None if name in faces else record[name]
            value = "; ".join(value) if isinstance(value, list) else value
            assert text == (
                "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            )
    text = run(folder, "predict", "pictures").stdout.decode()
    for record in found:
        (line,) = [line for line in text.splitlines() if line.endswith(record["image"])]
        assert [float(cell) for cell in line.split()[:5]] == pytest.approx(
            [record[name] for name in DETECTORS], abs=5e-5
        )
        assert line.split()[5] == record["verdict"]


def test_a_verdict_comes_with_its_errors_the_data_they_are_of_and_a_warning_of_the_demonstration(folder):
    metadata: ModelMetadata = model_file.metadata()
    counts = metadata.measured[0].detectors["ensemble"].called_fake
    at = counts.thresholds.index(0.3)
    row = records(folder, "--threshold", "0.3", "pictures/00000.jpg")[0]
    assert row["threshold"] == 0.3
    assert row["reals_called_fake"] == counts.reals[at] / 100
    assert row["fakes_called_real"] == 1 - counts.fakes[at] / 100
    assert "the internal test" in row["measured_on"] and "faces, invented" in row["measured_on"]
    assert row["demonstration"] is True
    done = run(folder, "predict", "--threshold", "0.3", "pictures/00000.jpg").stdout.decode()
    assert f"{counts.reals[at]:.1f} %" in done and "CIFAKE" in done and "Demonstration models" in done
    assert b"Demonstration models" in run(folder, "predict", "--format", "csv", "pictures").stderr


def test_one_member_decides_alone(folder):
    row = records(folder, "--model", "cnn", "--threshold", "youden", "pictures/00000.jpg")[0]
    assert row["decided_by"] == "cnn" and row["threshold"] == 0.4321
    assert row["cnn"] is not None and row["ensemble"] is None
    assert row["verdict"] == ("fake" if row["cnn"] >= 0.4321 else "real")


def test_a_detector_alone_is_told_of_once_and_by_its_name(folder):
    model = model_file.write(folder / "alone.onnx", model_file.metadata(weights=model_file.ALONE))
    image = "pictures/00000.jpg"
    for format_ in ("table", "csv", "json", "jsonl"):
        told = run(folder, "predict", "--file", model, "--format", format_, image).stdout.decode()
        assert "nsemble" not in told and "efficientnet_b4" in told
    told = run(folder, "info", "--file", model).stdout.decode()
    assert "nsemble" not in told and len(re.findall(r"^  EfficientNet-B4 +0\.", told, re.MULTILINE)) == 2
    (alone,) = records(folder, "--file", model, image)
    assert records(folder, "--file", model, "--model", "ensemble", image) == [alone]
    assert alone["decided_by"] == "efficientnet_b4"
    (both,) = records(folder, "--model", "efficientnet_b4", image)
    assert (alone["verdict"], alone["efficientnet_b4"]) == (both["verdict"], both["efficientnet_b4"])


def test_an_image_unlike_those_of_training_is_flagged(folder):
    Image.new("RGB", (64, 64), "black").save(folder / "black.png")
    usual, black = records(folder, "pictures/00000.jpg", "black.png")
    assert (usual["unlike_training"], black["unlike_training"]) == (False, True)
    assert (usual["unlike_by"], black["unlike_by"]) == ([], ["pixels", "features"])
    assert b"Unlike training by" in run(folder, "predict", "black.png").stdout
    assert b"Unlike training by" not in run(folder, "predict", "pictures/00000.jpg").stdout


def test_what_the_networks_make_of_an_image_is_not_asked_where_one_detector_decides(folder):
    Image.new("RGB", (64, 64), "black").save(folder / "black.png")
    (black,) = records(folder, "--model", "cnn", "black.png")
    assert black["unlike_by"] == ["pixels"]


def test_results_go_to_a_file_that_is_whole_or_absent(folder):
    (folder / "out").mkdir()
    done = run(folder, "predict", "--output", "out/results.json", "pictures")
    assert done.returncode == 0 and done.stdout == b""
    assert len(json.loads((folder / "out/results.json").read_text())) == 5
    assert run(folder, "predict", "--output", "out/none.txt", "--threshold", "2", "pictures").returncode == 2
    assert [path.name for path in (folder / "out").iterdir()] == ["results.json"]


def test_no_image_at_all_gives_an_empty_list_never_a_broken_one(folder):
    (row,) = records(folder, "blocked", code=1)
    assert row["error"].startswith("no file in this folder ends like an image")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("x.csv", "image,face,"), ("x.json", "["), ("x.ndjson", '{"image"'), ("x.txt", "Demo"), ("x", "Demo")],
)
def test_the_format_of_a_file_is_as_it_ends(tmp_path, folder, name, begins):
    assert run(folder, "predict", "--output", tmp_path / name, "pictures").returncode == 0
    assert (tmp_path / name).read_text().startswith(begins)


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv"])
def test_what_programs_read_is_utf_8_whatever_the_terminal_is(folder, monkeypatch, format_):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    (folder / "é – 😀.jpg").write_bytes(encoded(picture(1)))
    done = run(folder, "predict", "--format", format_, "é – 😀.jpg", "absent – é.jpg")
    text = done.stdout.decode("utf-8")
    assert "é – 😀.jpg" in text and "absent – é.jpg" in text
    assert run(folder, "info", "--format", "json").returncode == 0
    assert run(folder, "predict", "é – 😀.jpg").returncode == 0


def test_rows_say_how_it_does_where_it_does_worst(folder):
    (row,) = records(folder, "pictures/00000.jpg")
    rule = decision_rule(model_file.metadata(), "ensemble")
    sums = [each.reals_called_fake.value + each.fakes_called_real.value for each in rule.errors]
    worst = rule.errors[sums.index(max(sums))]
    assert row["worst_reals_called_fake"] == worst.reals_called_fake.value
    assert row["worst_fakes_called_real"] == worst.fakes_called_real.value
    assert worst.measured.data in row["worst_measured_on"]


def test_a_graph_that_was_changed_has_no_error_rates(tmp_path, folder):
    path = tmp_path / "changed.onnx"
    model = onnx.load(folder / "models/ensemble.onnx")
    onnx.save(model, path)
    (row,) = records(folder, "--file", path, "pictures/00000.jpg")
    assert row["reals_called_fake"] is not None  # written anew, and the same
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1), "unused"))
    onnx.save(model, path)
    done = run(folder, "predict", "--format", "json", "--file", path, "pictures/00000.jpg")
    (row,) = json.loads(done.stdout)
    assert row["verdict"] and row["meaning"] == "What it means was not measured."
    for name in ("reals_called_fake", "fakes_called_real", "measured_on"):
        assert row[name] is None and row[f"worst_{name}"] is None
    said = b"Nothing shows that the network in this model file is the one that was measured"
    assert said in done.stderr
    assert said in run(folder, "info", "--file", path).stdout
    text = run(folder, "predict", "--file", path, "pictures/00000.jpg").stdout
    assert said in text and b"of the real images fake" not in text


def test_the_version_is_told_and_the_package_is_the_command(folder):
    said = run(folder, "--version").stdout.decode()
    assert said == f"deepfake-ensemble {importlib.metadata.version('deepfake-ensemble')}\n"
    program = [sys.executable, "-m", "deepfake_ensemble", "--version"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout == said


# What is wrong with the command itself


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "x.jpg", "--file", "absent.onnx"], "absent.onnx: no such model file"),
        (["predict", "x.jpg", "--file", "pictures/00000.jpg"], "00000.jpg: not a model file; a JPEG image"),
        (["predict", "x.jpg", "--file", "pictures"], "pictures: a folder; --file names the model file in it"),
        (["predict", "x.jpg", "--file", "kinds/cnn.keras"], "cnn.keras: a model of Keras"),
        (["predict", "x.jpg", "--file", "kinds/empty.onnx"], "empty.onnx: not a model file; empty"),
        (
            ["predict", "x.jpg", "--file", "kinds/half.onnx"],
            "half.onnx: not a model that can be loaded, or not",
        ),
        (["predict", "x.jpg", "--model", "models/ensemble.onnx"], "--file names that file"),
        (["predict", "x.jpg", "--device", "cuda"], "--device cuda: this ONNX Runtime knows no GPU"),
        (["predict", "x.jpg", "--output", "none/x.csv"], "there is no folder none; make it first"),
        (["predict", "x.jpg", "--output", "pictures"], "--output pictures: a folder; name a file in it"),
        (["predict", "x.jpg", "--output", "x.xlsx"], "--output x.xlsx: nothing is written as .xlsx"),
        (
            ["predict", "x.jpg", "--output", "x.csv", "--format", "table"],
            "ends as csv does, and --format says",
        ),
        (["predict", "x.jpg", "--output", "x.json", "--format", "jsonl"], "ends as json does, and --format"),
        (["serve", "--allow-host", "http://["], "--allow-host http://[: not a computer's name"),
        (["predict", "x.jpg", "--model", "vgg"], "--model vgg: this file has cnn, resnet50"),
        (["predict", "x.jpg", "--threshold", "0.123"], "its errors were not measured"),
        (["predict", "x.jpg", "--threshold", "nan"], "its errors were not measured"),
        (["predict", "x.jpg", "--threshold", "high"], "neither a number nor one of default, youden"),
        (["predict", "x.jpg", "--threshold", "fpr_1_permille"], "too few validation images"),
        (["predict", "x.jpg", "--explain", "maps"], "--explain: Grad-CAM needs"),
        (["predict"], "the following arguments are required: path"),
        (["guess"], "invalid choice"),
        (["serve", "--port", "99999"], "--port: '99999' is not a whole number from 0 to 65,535"),
        (["serve", "--rate", "many"], "--rate: 'many' is not a whole number from 1 to"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_printed(folder, arguments, said):
    done = run(folder, *arguments)
    assert done.returncode == 2 and done.stdout == b""
    assert said in done.stderr.decode().splitlines()[-1]


def test_help_shows_examples_and_exit_codes(folder):
    for command in ("predict", "info", "serve"):
        done = run(folder, command, "--help").stdout.decode()
        assert "examples:" in done and "exit codes:" in done


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_can_complete_the_command(folder, shell):
    done = run(folder, "--print-completion", shell)
    assert done.returncode == 0 and b"--threshold" in done.stdout


def test_info_tells_what_the_model_is(folder):
    text = run(folder, "info").stdout.decode()
    for part in ("Demonstration models", "faces, invented", "1 is fake", "f" * 64, "accuracy", "Limits"):
        assert part in text
    data = json.loads(run(folder, "info", "--format", "json").stdout)
    assert data["weights"] == model_file.WEIGHTS


def test_a_reader_that_has_had_enough_is_no_error(folder):
    with started(folder, "predict", *["pictures"] * 2000, stdout=subprocess.PIPE) as done:
        assert done.stdout and done.stderr
        done.stdout.readline()
        done.stdout.close()
        assert b"Traceback" not in done.stderr.read()


def test_an_interruption_ends_it_and_leaves_no_file(folder):
    (folder / "cut").mkdir()
    with started(folder, "predict", "--output", "cut/x.txt", *["pictures"] * 4000) as done:
        for _ in range(200):
            if list((folder / "cut").iterdir()):
                break
            time.sleep(0.05)
        done.send_signal(signal.SIGTERM)
        assert done.wait(20) == 130
    assert list((folder / "cut").iterdir()) == []


@pytest.mark.usefixtures("attended")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_waiting_for_standard_input_can_be_interrupted(folder, sent):
    with started(folder, "predict", "-", stdin=subprocess.PIPE, bufsize=0) as waiting:
        assert waiting.stdin
        waiting.stdin.write(b"the first bytes of an image")
        while _unread(waiting.stdin):  # until it reads, and waits for more
            assert waiting.poll() is None
            time.sleep(0.05)
        waiting.send_signal(sent)
        assert waiting.wait(30) == 130
        assert waiting.stderr and b"Traceback" not in waiting.stderr.read()


def _unread(pipe: IO[bytes]) -> int:
    """Return how many bytes in a pipe nobody has read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
