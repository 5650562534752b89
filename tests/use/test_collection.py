"""Collections: every image once, however a run ended, and whose fault it is where there is none."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import model_file
from collections_of_images import in_parquet, loose, pictures, tarred, zipped
from deepfake_ensemble.distributed import ray_session
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.images import BadImage, pixels
from deepfake_ensemble.use import inputs
from deepfake_ensemble.use.collection import addresses, engines, manifest, shards
from deepfake_ensemble.use.collection.progress import Progress, duration
from deepfake_ensemble.use.collection.run import Asked, classify_collection, list_collection
from deepfake_ensemble.use.collection.shards import Damaged, Shard, images, kind_by_name
from page_parser import Page
from s3_server import CUT, S3Server, serve_s3

ROOT = Path(__file__).parents[2]
WITH_RAY = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed here")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_file.write(tmp_path_factory.mktemp("model") / "ensemble.onnx")


@pytest.fixture
def classify(model: Path, tmp_path: Path):
    def run(*named: str | Path, output: str | Path = tmp_path / "out", **options: Any) -> int:
        asked = {"manifest": None, "retries": 0, **options}
        return classify_collection(
            Asked(named=[str(each) for each in named], model=model, output=str(output), **asked)
        )

    return run


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with serve_s3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server.url})
        fsspec.filesystem("s3").mkdir("bucket")
        yield server


def rows(output: Path) -> list[dict[str, Any]]:
    return [row for file in sorted((output / "results").iterdir()) for row in pq.read_table(file).to_pylist()]


def summary(output: Path) -> dict[str, Any]:
    return json.loads((output / "summary.json").read_text(encoding="utf-8"))


def faults(output: Path) -> list[str]:
    return [each["fault"] for each in summary(output)["unfinished"]]


KINDS = {
    "a.zip": zipped,
    "a.tar": tarred,
    "a.tar.gz": tarred,
    "a.tar.bz2": tarred,
    "a.tar.xz": tarred,
    "a.parquet": in_parquet,
    "a": loose,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_shard_gives_each_image_what_the_model_says_of_it(classify, tmp_path, name):
    files = pictures(range(70))
    (tmp_path / "in").mkdir()
    KINDS[name](tmp_path / "in" / name, files)
    assert classify(tmp_path / "in") == 0
    found = rows(tmp_path / "out")
    assert [Path(row["path"]).name for row in found] == list(files)
    said = model_file.p_fake(np.stack([pixels(data, model_file.SIZE) for data in files.values()]))
    for detector, expected in said.items():
        assert [row[detector] for row in found] == pytest.approx(expected, abs=1e-6)
    assert [row["verdict"] for row in found] == ["fake" if p >= 0.5 else "real" for p in said["ensemble"]]
    assert [row["size"] for row in found] == [len(data) for data in files.values()]


def test_it_says_of_images_what_predict_says(classify, model, tmp_path):
    folder = loose(tmp_path / "in", pictures(range(40)) | {"bad.jpg": b"no image"})
    assert classify(folder) == 1
    command = [sys.executable, "-m", "deepfake_ensemble", "predict", "--format", "json", "--file", model]
    done = subprocess.run(
        [*command, folder],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
    )
    predicted = {row["image"]: row for row in json.loads(done.stdout)}
    collected = {row["path"]: row for row in rows(tmp_path / "out")}
    assert predicted.keys() == collected.keys()
    for path, row in collected.items():
        same = ("ensemble", "cnn", "verdict", "unlike_training", "unlike_by", "note", "faces")
        assert [row[key] for key in same] == [predicted[path][key] for key in same]
        assert row["reason"] == predicted[path]["error"]


def test_a_detector_alone_has_one_column(tmp_path):
    model = model_file.write(tmp_path / "alone.onnx", model_file.metadata(weights=model_file.ALONE))
    named = [str(loose(tmp_path / "in", pictures(range(3))))]
    assert (
        classify_collection(Asked(named=named, manifest=None, model=model, output=str(tmp_path / "out"))) == 0
    )
    assert all("ensemble" not in row and row["efficientnet_b4"] is not None for row in rows(tmp_path / "out"))
    assert summary(tmp_path / "out")["detector"] == "efficientnet_b4"
    assert "Ensemble" not in (tmp_path / "out/summary.html").read_text(encoding="utf-8")


def test_what_is_done_is_not_done_again(classify, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(5)))
    tarred(tmp_path / "b.tar", pictures(range(5, 9)))
    named = [tmp_path / "a.zip", tmp_path / "b.tar"]
    assert classify(*named) == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out/results").iterdir()}
    assert classify(*named) == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out/results").iterdir()} == before
    assert summary(tmp_path / "out")["run"]["images"] == 0
    assert summary(tmp_path / "out")["counts"]["images"] == 9


def test_another_content_and_another_threshold_are_classified_anew(classify, tmp_path):
    named = [zipped(tmp_path / "a.zip", pictures(range(5)))]
    classify(*named)
    zipped(tmp_path / "a.zip", pictures(range(6)))
    classify(*named)
    assert summary(tmp_path / "out")["run"]["images"] == 6
    classify(*named, threshold="0.7")
    assert summary(tmp_path / "out")["run"]["images"] == 6
    assert len(list((tmp_path / "out/results").iterdir())) == 3


def test_a_result_that_was_cut_off_is_made_again(classify, tmp_path):
    named = [zipped(tmp_path / "a.zip", pictures(range(5)))]
    classify(*named)
    (file,) = (tmp_path / "out/results").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert classify(*named) == 0
    assert file.read_bytes() == whole


def finished(output: Path) -> list[Path]:
    return [file for file in output.glob("results/*.parquet") if not file.name.startswith(".")]


@contextmanager
def command(model: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command; should the test fail meanwhile, it is killed."""
    program = [sys.executable, "-m", "deepfake_ensemble", "classify-collection", "--file", model]
    with subprocess.Popen(
        [*program, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def many_shards(folder: Path, shards: int = 30, images: int = 40) -> list[str]:
    """Fill a folder, and return the names of all images."""
    folder.mkdir()
    for number in range(shards):
        tarred(folder / f"{number:02}.tar", pictures(range(100 * number, 100 * number + images)))
    return [f"{100 * number + image:04}.jpg" for number in range(shards) for image in range(images)]


def test_killed_it_goes_on_and_every_image_is_there_once(model, tmp_path):
    names = many_shards(tmp_path / "in", shards=90, images=4)  # not done before it is killed
    arguments = [tmp_path / "in", "--output", tmp_path / "out"]
    with command(model, *arguments) as running:
        _some_results(tmp_path / "out")
        running.kill()
    done = len(finished(tmp_path / "out"))
    with command(model, *arguments) as again:
        out, told = again.communicate()
    assert again.returncode == 0, told
    assert sorted(row["path"] for row in rows(tmp_path / "out")) == names
    assert 0 < done < 90
    assert "of 90 shards are done" in told
    assert "360 images in 90 of 90 shards" in out


@pytest.mark.usefixtures("attended")
def test_interrupted_it_ends_soon_and_leaves_nothing_half_written(model, tmp_path):
    many_shards(tmp_path / "in", shards=600, images=4)  # so many that it is not done before the signal comes
    with command(model, tmp_path / "in", "--output", tmp_path / "out") as running:
        _some_results(tmp_path / "out")
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    assert all(pq.read_metadata(file).num_rows for file in (tmp_path / "out/results").iterdir())


def _some_results(output: Path) -> None:
    end = time.monotonic() + 120
    while not finished(output):
        assert time.monotonic() < end, "no results after two minutes"
        time.sleep(0.01)


@WITH_RAY
def test_a_worker_that_dies_is_replaced_and_a_shard_that_kills_three_is_listed(
    classify, tmp_path, monkeypatch
):
    once = tmp_path / "died once"

    class Mortal(engines.Worker):  # in here, where Ray takes it along to its workers
        def classify(self, shard):
            if shard.name == "07.tar" and not once.exists():
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if shard.name == "deadly.zip":
                os.kill(os.getpid(), signal.SIGKILL)
            return super().classify(shard)

    monkeypatch.setattr(engines, "Worker", Mortal)
    names = many_shards(tmp_path / "in")
    zipped(tmp_path / "in/deadly.zip", pictures(range(3)))
    assert classify(tmp_path / "in", workers=2, threads=1) == 3
    assert once.exists()
    assert sorted(row["path"] for row in rows(tmp_path / "out")) == names
    assert summary(tmp_path / "out")["run"]["images"] == len(names)
    (unfinished,) = summary(tmp_path / "out")["unfinished"]
    assert unfinished["fault"] == "worker"
    assert "deadly.zip: 3 workers died at it" in unfinished["reason"]


@WITH_RAY
def test_workers_for_which_there_is_no_room_are_told_and_waited_for_beside_the_work(
    classify, tmp_path, capsys
):
    zipped(tmp_path / "a.zip", pictures(range(3)))
    assert classify(tmp_path / "a.zip", workers=2, threads=1024) == 0
    assert "--workers 2: there is room for 1, the others wait for it" in capsys.readouterr().err
    assert len(rows(tmp_path / "out")) == 3


def test_more_workers_than_gpus_are_refused_before_anything_starts(classify, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_session, "host_gpus", lambda: 1)
    zipped(tmp_path / "a.zip", pictures(range(3)))
    with pytest.raises(UserError, match=r"^--workers 2: this host has GPUs for 1; "):
        classify(tmp_path / "a.zip", workers=2)


def _cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("name", [name for name in KINDS if name != "a"])
def test_a_shard_that_breaks_off_is_damaged_and_costs_no_other_one(classify, tmp_path, name):
    KINDS[name](tmp_path / name, pictures(range(9)))
    _cut(tmp_path / name, 0.6)
    zipped(tmp_path / "whole.zip", pictures(range(10, 13)))
    assert classify(tmp_path / name, tmp_path / "whole.zip") == 1
    assert faults(tmp_path / "out") == ["damaged"]
    assert summary(tmp_path / "out")["unfinished"][0]["shard"] == str(tmp_path / name)
    assert len(rows(tmp_path / "out")) == 3


def test_a_tar_that_breaks_off_between_two_images_is_damaged_too(classify, tmp_path):
    tarred(tmp_path / "a.tar", {"a.jpg": b"x" * 512, "b.jpg": b"y" * 512})
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[:1024])
    assert classify(tmp_path / "a.tar") == 1
    assert "before its end mark" in summary(tmp_path / "out")["unfinished"][0]["reason"]


@pytest.mark.parametrize("name", [name for name in KINDS if name != "a"])
def test_what_is_no_such_archive_is_damaged(classify, tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>no such thing</html>" * 100)
    assert classify(tmp_path / name) == 1
    assert faults(tmp_path / "out") == ["damaged"]


@pytest.mark.parametrize("name", [name for name in KINDS if name != "a"])
def test_mutated_bytes_give_images_or_a_damaged_shard_and_nothing_else(tmp_path, name):
    whole = KINDS[name](tmp_path / name, pictures(range(6))).read_bytes()
    draw = random.Random(name)
    damaged = 0
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 4, 16))):
            start = draw.choice((0, len(data) - 1_000, draw.randrange(len(data))))
            data[min(start + draw.randrange(1_000), len(data) - 1)] = draw.randrange(256)
        (tmp_path / name).write_bytes(data)
        shard = Shard(str(tmp_path / name), kind_by_name(name), None, "")
        try:
            found = list(images(shard, tmp_path / name, column=None, passed=Counter()))
        except Damaged as error:
            assert str(error).startswith(f"{tmp_path / name}: ")
            damaged += 1
        else:
            assert all(isinstance(data, bytes | BadImage) for _, data in found)
    assert damaged


def test_an_image_that_is_bad_costs_its_own_row(classify, tmp_path):
    bad = {"text.jpg": b"a text", "empty.png": b"", "cut.jpg": pictures([1])["0001.jpg"][:700]}
    zipped(tmp_path / "a.zip", pictures([5]) | bad)
    tarred(tmp_path / "b.tar", pictures([6]) | bad)
    assert classify(tmp_path / "a.zip", tmp_path / "b.tar") == 1
    found = {row["path"]: row["reason"] for row in rows(tmp_path / "out")}
    assert found["0005.jpg"] is None
    assert found["text.jpg"] == "a text"
    assert summary(tmp_path / "out")["counts"]["bad"] == {"a text": 2, "empty": 2, "damaged": 2}


def test_an_entry_of_a_zip_that_fails_its_check_sum_costs_its_own_row(classify, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(3)))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"\xff\xd8") + 300] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert classify(tmp_path / "a.zip") == 1
    assert [bool(row["reason"]) for row in rows(tmp_path / "out")] == [True, False, False]


def test_a_missing_shard_is_told_from_a_damaged_one(classify, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(3)))
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'a.zip'}\n{tmp_path / 'gone.tar'}\n")
    assert classify(manifest=str(tmp_path / "list.txt")) == 1
    assert faults(tmp_path / "out") == ["missing"]
    assert len(rows(tmp_path / "out")) == 3
    assert classify(tmp_path / "a.zip", tmp_path / "gone", output=tmp_path / "other") == 1
    assert faults(tmp_path / "other") == ["missing"]


def test_a_fault_of_the_disk_is_no_bad_image_and_the_same_command_goes_on(classify, tmp_path):
    good = loose(tmp_path / "in", pictures(range(4)))
    named = [*sorted(map(str, good.iterdir())), "/proc/self/mem"]  # reading that fails as a broken disk does
    (tmp_path / "list.txt").write_text("\n".join(named))
    assert classify(manifest=str(tmp_path / "list.txt"), per_shard=3) == 3
    assert faults(tmp_path / "out") == ["storage"]
    assert [row["reason"] for row in rows(tmp_path / "out")] == [None] * 3


def test_a_disk_that_cannot_be_written_to_is_a_fault_of_storage(classify, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(3)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results").symlink_to("/proc/self")
    assert classify(tmp_path / "a.zip") == 3
    assert faults(tmp_path / "out") == ["storage"]


def test_where_storage_fails_shard_after_shard_the_rest_is_not_tried(classify, tmp_path):
    (tmp_path / "list.txt").write_text("/proc/self/mem\n" * 30)
    assert classify(manifest=str(tmp_path / "list.txt"), per_shard=1) == 3
    there = [{"path": ["/proc/self/mem"], "version": [str(number)]} for number in range(30)]
    with pq.ParquetWriter(tmp_path / "m.parquet", pa.table(there[0]).schema) as writer:
        for each in there:
            writer.write_table(pa.table(each))
    assert classify(manifest=str(tmp_path / "m.parquet")) == 3
    assert summary(tmp_path / "out")["shards"] == 30
    assert len(faults(tmp_path / "out")) == 10


def test_on_s3_results_are_the_same_as_here(classify, tmp_path, s3):
    client = fsspec.filesystem("s3")
    (tmp_path / "in").mkdir()
    zipped(tmp_path / "in/a.zip", pictures(range(5)))
    tarred(tmp_path / "in/b.tar", pictures(range(5, 9)))
    in_parquet(tmp_path / "in/c.parquet", pictures(range(9, 12)))
    loose(tmp_path / "in/loose", pictures(range(12, 15)))
    client.put(str(tmp_path / "in"), "bucket/in", recursive=True)
    assert classify("s3://bucket/in", output="s3://bucket/out") == 0
    assert classify(tmp_path / "in") == 0
    client.get("bucket/out", str(tmp_path / "fetched"), recursive=True)
    said = [
        sorted((Path(row["path"]).name, row["ensemble"], row["size"]) for row in rows(folder))
        for folder in (tmp_path / "fetched", tmp_path / "out")
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 15
    assert not [name for name in client.find("bucket/out") if "partial" in name]
    for named in ("s3://bucket/in", "s3://bucket/i*", "s3://bucket/**"):
        assert classify(named, output="s3://bucket/out") == 0
        assert json.loads(client.cat_file("bucket/out/summary.json"))["run"]["images"] == 0


NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("name", KINDS)
def test_a_name_that_is_no_utf8_is_escaped_and_what_it_names_is_classified(classify, tmp_path, name):
    folder = tmp_path / NOT_UTF8
    folder.mkdir()
    KINDS[name](tmp_path / name, pictures(range(3))).rename(folder / f"{NOT_UTF8}-{name}")
    assert list_collection([str(folder)], str(tmp_path / "m.parquet"), 10) == 0
    assert "caf\\udce9/caf\\udce9-" in str(pq.read_table(tmp_path / "m.parquet")["path"])
    for output, asked in (
        (tmp_path / "named", {"named": [folder]}),
        (tmp_path / "listed", {"manifest": str(tmp_path / "m.parquet")}),
    ):
        assert classify(*asked.pop("named", ()), output=output, **asked) == 0
        assert [row["reason"] for row in rows(output)] == [None] * 3
        assert all("/caf\\udce9-" in row["path" if name == "a" else "shard"] for row in rows(output))


def test_a_shard_without_results_is_told_whatever_its_name_is(model, tmp_path):
    (tmp_path / f"{NOT_UTF8}.zip").write_bytes(b"no zip")
    with command(model, tmp_path / f"{NOT_UTF8}.zip", "--output", tmp_path / f"{NOT_UTF8}") as running:
        out, told = running.communicate()
    assert (running.returncode, told.splitlines()[1:]) == (1, [])
    assert "caf\\udce9.zip: not a zip archive" in out
    assert "caf\\udce9.zip" in (tmp_path / NOT_UTF8 / "summary.html").read_text(encoding="utf-8")


@WITH_RAY
def test_ray_takes_such_names_in_a_list_and_refuses_them_in_its_command(classify, model, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(3))).rename(tmp_path / f"{NOT_UTF8}.zip")
    words = ["--output", tmp_path / "out", "--workers", "2"]
    with command(model, tmp_path / f"{NOT_UTF8}.zip", *words) as running:
        _, told = running.communicate()
    assert running.returncode == 2
    assert told.splitlines()[-1].startswith(
        "deepfake-ensemble: Ray takes no command whose words are not UTF-8"
    )
    assert classify(tmp_path / "*.zip", workers=2, threads=1) == 0
    assert len(rows(tmp_path / "out")) == 3


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_lists_of_paths_are_read_in_whatever_encoding_and_no_line_is_lost(classify, tmp_path, encoding):
    names = ["caf\xe9.jpg", "two words .jpg", "\u2028.jpg", "gone.jpg"]
    names = [name for name in names if name.isascii() or encoding != "latin-1" or "\xe9" in name]
    on_disk = [os.fsdecode(name.encode("latin-1")) if encoding == "latin-1" else name for name in names]
    loose(tmp_path / "in", dict.fromkeys(on_disk[:-1], pictures([1])["0001.jpg"]))
    lines = "\r\n".join(f"{tmp_path}/in/{name}" for name in names)
    (tmp_path / "list.txt").write_bytes(lines.encode(encoding))
    assert classify(manifest=str(tmp_path / "list.txt")) == 1
    found = {Path(row["path"]).name: row["reason"] for row in rows(tmp_path / "out")}
    assert len(found) == len(names)
    assert [name for name, reason in found.items() if reason] == ["gone.jpg"]


def test_a_line_that_no_file_can_be_called_costs_its_own_row(classify, tmp_path):
    good = next(loose(tmp_path / "in", pictures([1])).iterdir())
    (tmp_path / "list.txt").write_text(f"{good}\n/a\0b.jpg\n", encoding="utf-8")
    assert classify(manifest=str(tmp_path / "list.txt")) == 1
    assert [row["reason"] for row in rows(tmp_path / "out")] == [None, "no name that a file can have"]


def test_entries_whose_names_are_no_utf8_are_rows_or_their_archive_is_told(classify, tmp_path):
    image = pictures([1])["0001.jpg"]
    tarred(tmp_path / "a.tar", {f"{NOT_UTF8}.jpg": image})
    zipped(tmp_path / "b.zip", {"caf\xe9.jpg": image})
    data = (tmp_path / "b.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(data.replace("\xe9".encode(), b"\xe9\xe9"))
    names = pa.array([f"{NOT_UTF8}.jpg".encode(errors="surrogateescape")])
    names = pa.Array.from_buffers(pa.string(), 1, names.buffers())
    pq.write_table(pa.table({"path": names, "image": [image]}), tmp_path / "c.parquet")
    nested = pa.StructArray.from_arrays([pa.array([image]), names], ["bytes", "path"])
    pq.write_table(pa.table({"image": nested}), tmp_path / "d.parquet")
    assert classify(*(tmp_path / name for name in ("a.tar", "b.zip", "c.parquet", "d.parquet"))) == 1
    assert [(row["path"], row["reason"]) for row in rows(tmp_path / "out")] == [("caf\\udce9.jpg", None)] * 3
    (unfinished,) = summary(tmp_path / "out")["unfinished"]
    assert unfinished["fault"] == "damaged"
    assert "the name b'caf\\xe9\\xe9.jpg' is not UTF-8; unpack" in unfinished["reason"]


def test_a_manifest_whose_text_is_no_utf8_is_read(classify, tmp_path):
    loose(tmp_path / "in", {f"{NOT_UTF8}.jpg": pictures([1])["0001.jpg"]})
    paths = pa.array([f"{tmp_path}/in/{NOT_UTF8}.jpg".encode(errors="surrogateescape")])
    for number, column in enumerate([paths, pa.Array.from_buffers(pa.string(), 1, paths.buffers())]):
        pq.write_table(pa.table({"path": column}), tmp_path / "m.parquet")
        assert classify(manifest=str(tmp_path / "m.parquet"), output=tmp_path / f"{number}") == 0
        assert len(rows(tmp_path / f"{number}")) == 1


def test_what_the_command_has_written_is_not_read_by_the_next_one(classify, tmp_path, capsys):
    zipped(tmp_path / "a.zip", pictures(range(3)))
    other = loose(tmp_path / "other", pictures(range(3, 5)))
    for pattern, count in (("*", 5), ("**", 5), ("*/*", 2), ("o*", 2)):
        for _ in range(2):
            assert classify(tmp_path / pattern, output=tmp_path / "out") == 0
            assert summary(tmp_path / "out")["counts"]["images"] == count
    assert f"what lies in {tmp_path / 'out'} is passed over" in capsys.readouterr().err
    for _ in range(2):
        assert list_collection([str(other)], str(other / "m.parquet"), 10) == 0
        assert pq.read_metadata(other / "m.parquet").num_rows == 2
    assert "which is written, is passed over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("**/2021", ["a/2021/1.jpg", "b/2021/deep/2021.jpg"]),
        ("**/2021*", ["a/2021/1.jpg", "b/2021/deep/2021.jpg"]),
        ("**/deep", ["b/2021/deep/2021.jpg"]),
        ("**", ["0.jpg", "a/2021/1.jpg", "b/2021/deep/2021.jpg"]),
        ("*", ["0.jpg", "a/2021/1.jpg", "b/2021/deep/2021.jpg"]),
        ("**/*.jpg", ["0.jpg", "a/2021/1.jpg", "b/2021/deep/2021.jpg"]),
    ],
)
def test_a_pattern_gives_each_file_that_it_matches_or_whose_folder_it_matches_once(tmp_path, pattern, wanted):
    for file in ("0.jpg", "a/2021/1.jpg", "b/2021/deep/2021.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = [file.address for file, _ in addresses.listing(f"{tmp_path}/{pattern}")]
    assert found == [f"{tmp_path}/{file}" for file in wanted]


class _Endless(BaseHTTPRequestHandler):
    """Sends 64 MiB, and never says how much it is."""

    sent = 0

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with suppress(OSError):
            for _ in range(64):
                self.wfile.write(bytes(2**20))
                type(self).sent += 2**20

    def log_message(self, *_: Any) -> None:
        pass


def test_a_file_of_unknown_size_is_read_no_further_than_its_bound(classify, tmp_path, monkeypatch):
    for module in (inputs, shards):
        monkeypatch.setattr(module, "LARGEST", 2**20)
    monkeypatch.setattr(_Endless, "sent", 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "list.txt").write_text(f"http://127.0.0.1:{server.server_port}/a.jpg")
        assert classify(manifest=str(tmp_path / "list.txt")) == 1
        server.shutdown()
    assert [row["reason"] for row in rows(tmp_path / "out")] == ["larger than 1 MiB"]
    assert _Endless.sent < 48 * 2**20


def test_relative_lines_are_of_the_folder_in_which_the_command_was_typed(classify, tmp_path, monkeypatch):
    loose(tmp_path / "in", pictures(range(2)))
    tarred(tmp_path / "a.tar", pictures(range(2, 4)))
    (tmp_path / "list.txt").write_text("in/0000.jpg\n./in/0001.jpg\na.tar\n~none\n")
    opened = engines.Worker.open

    def elsewhere(worker: engines.Worker) -> int:
        os.chdir("/")
        return opened(worker)

    monkeypatch.setattr(engines.Worker, "open", elsewhere)
    monkeypatch.chdir(tmp_path)
    assert classify(manifest="list.txt") == 1
    assert [(row["path"], row["reason"] is None) for row in rows(tmp_path / "out")] == [
        ("0002.jpg", True),
        ("0003.jpg", True),
        (f"{tmp_path}/in/0000.jpg", True),
        (f"{tmp_path}/in/0001.jpg", True),
        (f"{tmp_path}/~none", False),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nowhere://bucket/a.jpg", "{}: nowhere://bucket/a.jpg: Protocol not known: nowhere"),
        ("nowhere://bucket/a.zip", "{}: nowhere://bucket/a.zip: Protocol not known: nowhere"),
        ("a.jpg", "{}: a.jpg: a relative path, which means nothing to a worker elsewhere"),
    ],
)
def test_a_line_that_nobody_can_read_is_named_before_anything_starts(classify, tmp_path, line, said):
    (tmp_path / "list.txt").write_text(f"/a.jpg\n\n{line}")
    pq.write_table(pa.table({"path": ["/a.jpg", "/b.jpg", line]}), tmp_path / "m.parquet", row_group_size=2)
    places = {"m.parquet": "row 3"} | ({"list.txt": "line 3"} if "://" in line else {})
    for name, place in places.items():
        with pytest.raises(UserError, match="^" + re.escape(said.format(f"{tmp_path / name}: {place}"))):
            classify(manifest=str(tmp_path / name))
    assert not (tmp_path / "out/results").exists()


def test_a_host_without_a_client_fails_shards_and_no_images(classify, tmp_path, monkeypatch):
    def uninstalled(address: str, **_: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(
        manifest, "_require_client", lambda *_: None
    )  # where the command was typed there is one
    monkeypatch.setattr(addresses, "url_to_fs", uninstalled)
    paths = ["s3://bucket/a.jpg", "s3://bucket/b.zip"]
    pq.write_table(pa.table({"path": paths}), tmp_path / "m.parquet")
    assert classify(manifest=str(tmp_path / "m.parquet")) == 3
    assert faults(tmp_path / "out") == ["storage"] * 2
    assert "Install s3fs to access S3" in summary(tmp_path / "out")["unfinished"][0]["reason"]


def test_a_second_command_on_an_output_is_refused_as_long_as_the_first_one_runs(classify, model, tmp_path):
    many_shards(tmp_path / "in", shards=600, images=4)
    with command(model, tmp_path / "in", "--output", tmp_path / "out") as running:
        _some_results(tmp_path / "out")
        with pytest.raises(UserError, match=f"^{tmp_path / 'out'}: another command is writing there; wait"):
            classify(tmp_path / "in")
        running.kill()
    zipped(tmp_path / "a.zip", pictures(range(3)))
    assert classify(tmp_path / "a.zip") == 0


@pytest.mark.parametrize("fault", [503, 403, CUT])
@pytest.mark.parametrize("name", ["a.tar", "loose/0003.jpg"])
def test_a_fault_of_s3_fails_the_shard_and_the_same_command_goes_on(classify, tmp_path, s3, fault, name):
    client = fsspec.filesystem("s3")
    client.pipe_file("bucket/in/a.tar", tarred(tmp_path / "a.tar", pictures(range(3))).read_bytes())
    for each, data in pictures([3, 4]).items():
        client.pipe_file(f"bucket/in/loose/{each}", data)
    s3.faults[f"bucket/in/{name}"] = [fault] * 20
    assert classify("s3://bucket/in") == 3
    assert faults(tmp_path / "out") == ["storage"]
    assert [row["reason"] for row in rows(tmp_path / "out")] == [None] * (2 if name == "a.tar" else 3)
    s3.faults.clear()
    assert classify("s3://bucket/in") == 0
    assert sorted(Path(row["path"]).name for row in rows(tmp_path / "out")) == list(pictures(range(5)))


def test_a_fault_of_s3_that_passes_is_waited_for(classify, tmp_path, s3):
    fsspec.filesystem("s3").pipe_file(
        "bucket/a.tar", tarred(tmp_path / "a.tar", pictures(range(3))).read_bytes()
    )
    s3.faults["bucket/a.tar"] = [503]
    assert classify("s3://bucket/a.tar", retries=1) == 0
    assert s3.faults["bucket/a.tar"] == []


def test_a_sample_is_drawn_from_at_most_ten_shards_and_leaves_the_rest_to_do(classify, tmp_path):
    many_shards(tmp_path / "in")
    assert classify(tmp_path / "in", sample=50) == 0
    found = rows(tmp_path / "out/sample-50")
    assert len(found) == 50
    assert max(Counter(row["shard"] for row in found).values()) == 5
    assert any(Path(row["path"]).stem[-2:] > "10" for row in found)  # not the first of each
    assert summary(tmp_path / "out/sample-50")["sample"] == 50
    assert classify(tmp_path / "in") == 0
    assert len(rows(tmp_path / "out")) == 1200


def test_a_manifest_is_listed_once_and_its_groups_are_the_shards(classify, tmp_path, capsys):
    loose(tmp_path / "in/deep", pictures(range(7)))
    (tmp_path / "in/notes.txt").write_text("a text")
    zipped(tmp_path / "in/z.zip", pictures(range(10, 12)))
    assert list_collection([str(tmp_path / "in")], str(tmp_path / "m.parquet"), 3) == 0
    assert "8 images and shards are listed" in capsys.readouterr().out
    (tmp_path / "in/later.jpg").write_bytes(b"")
    assert classify(manifest=str(tmp_path / "m.parquet")) == 0
    assert len(list((tmp_path / "out/results").iterdir())) == 4
    assert len(rows(tmp_path / "out")) == 9


def test_loose_images_are_the_same_shard_in_another_manifest(classify, tmp_path):
    loose(tmp_path / "in/a", pictures(range(3)))
    classify(tmp_path / "in", per_shard=3)
    loose(tmp_path / "in/b", pictures(range(3, 5)))
    classify(tmp_path / "in", per_shard=3)
    assert summary(tmp_path / "out")["run"]["images"] == 2


def test_columns_of_parquet_are_found_or_asked_for(classify, tmp_path):
    data = list(pictures(range(2)).values())
    pq.write_table(pa.table({"name": ["x", "y"], "jpg": data, "mask": [b"", b""]}), tmp_path / "two.parquet")
    assert classify(tmp_path / "two.parquet") == 1
    assert "--image-column names it; of bytes there are jpg, mask" in str(summary(tmp_path / "out"))
    assert classify(tmp_path / "two.parquet", image_column="name", output=tmp_path / "text") == 1
    assert "its column name holds no bytes, but string" in str(summary(tmp_path / "text"))
    assert classify(tmp_path / "two.parquet", image_column="jpg") == 0
    assert [row["path"] for row in rows(tmp_path / "out")] == ["x", "y"]
    pq.write_table(pa.table({"jpg": [data[0], None]}), tmp_path / "bare.parquet")
    assert classify(tmp_path / "bare.parquet", output=tmp_path / "bare") == 1
    assert [(row["path"], row["reason"]) for row in rows(tmp_path / "bare")] == [
        ("row 0", None),
        ("row 1", "there are no bytes in its row"),
    ]


def test_the_page_tells_what_the_summary_has(classify, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(12)) | {"bad.jpg": b"a text", "notes.txt": b"notes"})
    (tmp_path / "b.tar").write_bytes(b"<b>none</b>")
    classify(tmp_path / "a.zip", tmp_path / "b.tar")
    page = Page((tmp_path / "out/summary.html").read_text(encoding="utf-8"))
    counts = summary(tmp_path / "out")["counts"]
    assert ["13", "13"] in page.figures
    for verdict in ("fake", "real"):
        number = counts["verdicts"][verdict]
        assert [str(number), str(number)] in page.figures
    said = " ".join(page.words)
    assert "Demonstration models" in said
    assert str(tmp_path / "b.tar") in said
    assert "a text" in said
    assert sum(counts["p_fake"]) == 12


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["nothing"], "there is no such file"),
        (["empty"], "no image and no shard"),
        (["nowhere://bucket/a"], "Protocol not known: nowhere"),
        (["."], "--output .*: lies in"),
    ],
)
def test_what_cannot_be_meant_is_one_line(classify, tmp_path, monkeypatch, named, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=said):
        classify(*named)


def test_the_packages_of_training_are_not_needed(model, tmp_path):
    zipped(tmp_path / "a.zip", pictures(range(3)))
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in 'tensorflow keras h5py pandas sklearn scipy yaml pydantic onnx ray'.split():\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from deepfake_ensemble.use.command_line import main\n"
        "main()"
    )
    words = ["classify-collection", tmp_path / "a.zip", "--file", model, "--output", tmp_path / "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "out")) == 3
    again = subprocess.run(
        [sys.executable, "-c", code, *words, "--workers", "2", "--threshold", "0.6"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 2
    assert "Ray is not installed; the extra `cluster` brings it" in again.stderr


@pytest.mark.parametrize("named", [[], ["a.zip", "--manifest", "m.parquet"]])
def test_paths_and_a_manifest_exclude_each_other_and_one_must_be(model, tmp_path, named):
    with command(model, *named, "--output", tmp_path / "out") as running:
        _, told = running.communicate()
    assert (running.returncode, told) == (
        2,
        "deepfake-ensemble: classify-collection: name paths, or a --manifest\n",
    )


def test_a_worker_refuses_another_model_file_than_the_drivers(tmp_path, model):
    settings = engines.Settings(
        model=model,
        model_sha256="0" * 64,
        device="cpu",
        threads=1,
        detector="ensemble",
        threshold="default",
        faces="auto",
        image_column=None,
        sample=None,
        results=str(tmp_path),
        waits=(),
    )
    with pytest.raises(UserError, match="another model file"):
        engines.Worker(settings).open()


def test_progress_tells_images_bytes_and_when_it_ends(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told = Progress(10_000_000, None)
    now[0] = 100.0
    assert told.text(500, 2_500_000) == (
        "classify-collection: 500 images, 2.5 MB of 10.0 MB, 5.0 images a second, 5 min 0 s left"
    )
    assert [duration(each) for each in (5, 3_700, 200_000)] == ["5 s", "1 h 1 min", "2 d 7 h"]


def test_shards_of_a_manifest_are_listed_group_by_group(tmp_path):
    files = [addresses.ListedFile(f"/x/{number}.jpg", 10, "v") for number in range(5)]
    manifest.write(tmp_path / "m.parquet", files, 2)
    found = list(manifest.shards(str(tmp_path / "m.parquet")))
    assert [(each.kind, each.size, each.group) for each in found] == [
        ("files", 20, 0),
        ("files", 20, 1),
        ("files", 10, 2),
    ]


def test_a_name_that_looks_like_a_chain_of_addresses_is_that_of_a_file(tmp_path):
    for name in ("a.jpg", "a.jpg::b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    client, path = addresses.storage(str(tmp_path / "a.jpg::b.jpg"))
    assert client.cat_file(path) == b"a.jpg::b.jpg"
