import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deepfake_ensemble.fetching import local
from deepfake_ensemble.foundation.errors import UserError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "data/local/faces.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("image.jpg", random.Random(1).randbytes(100_000))
    return path


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "data/raw/faces.zip"


def failure(source: Path, destination: Path) -> str:
    with pytest.raises(UserError) as caught:
        local.fetch(source, destination)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_archive_is_copied_byte_for_byte_and_nothing_else_is_left(source, destination):
    local.fetch(source, destination)
    assert destination.read_bytes() == source.read_bytes()
    assert list(destination.parent.iterdir()) == [destination]


def test_an_archive_behind_a_link_is_copied(source, destination, tmp_path):
    source.rename(tmp_path / "elsewhere.zip")
    source.symlink_to(tmp_path / "elsewhere.zip")
    local.fetch(source, destination)
    assert not destination.is_symlink()
    assert destination.read_bytes() == (tmp_path / "elsewhere.zip").read_bytes()


def test_an_archive_on_another_file_system_is_copied(source, tmp_path):
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    destination = memory / f"deepfake-ensemble-{os.getpid()}.zip"
    try:
        local.fetch(source, destination)
        assert destination.read_bytes() == source.read_bytes()
    finally:
        destination.unlink(missing_ok=True)


def test_an_edit_of_the_copy_leaves_the_users_file_alone(source, destination):
    before = source.read_bytes()
    local.fetch(source, destination)
    with destination.open("r+b") as file:
        file.write(b"edited")
    assert source.read_bytes() == before


def test_a_folder_in_its_place_is_refused_with_what_to_do(source, destination, documented):
    source.unlink()
    source.mkdir()
    message = failure(source, destination)
    documented("Archives of your own", "a folder in its place", message)
    assert message == (
        f"{source}: is a folder, not the zip that Kaggle gives: put that there as it came, or name the folder"
        f" {source.with_suffix('')} and set source: folder in params.yaml"
    )


def test_dvc_with_hard_links_does_not_make_the_users_file_read_only(source, destination, tmp_path):
    local.fetch(source, destination)
    # By hand, since what DVC does to a stage's out with this setting is what `dvc add` does as well.
    for command in ("init --quiet --no-scm", "config cache.type hardlink", f"add --quiet {destination}"):
        subprocess.run([sys.executable, "-m", "dvc", *command.split()], cwd=tmp_path, check=True)
    assert destination.stat().st_mode & 0o222 == 0
    assert source.stat().st_mode & 0o200
    assert source.stat().st_nlink == 1


def test_a_missing_archive_is_answered_by_which_file_to_put_where(destination, documented):
    message = failure(Path("data/local/cifake.zip"), destination)
    assert message == (
        "data/local/cifake.zip: no such file: put your copy of the cifake archive there, the zip that Kaggle "
        "gives (a browser calls it archive.zip), named cifake.zip (`dvc exp run --temp` and `--queue` leave"
        " it behind: add `-C data/local`); or choose another source in params.yaml"
    )
    documented("Archives of your own", "missing", message)


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>"])
def test_what_is_not_a_zip_is_refused(content, source, destination, documented):
    source.write_bytes(content)
    message = failure(source, destination)
    assert message == (f"{source}: not a complete zip archive: download it again and put it there unchanged")
    documented("Archives of your own", "not a zip, or cut off", message)


def test_a_download_that_was_cut_off_is_refused(source, destination):
    source.write_bytes(source.read_bytes()[:90_000])
    assert "not a complete zip archive" in failure(source, destination)


def test_an_archive_for_which_there_is_no_room_is_refused_before_it_is_copied(
    source, destination, documented
):
    free = os.statvfs(source).f_bavail * os.statvfs(source).f_frsize
    end = source.read_bytes()
    with source.open("wb") as file:  # a file with a hole takes no room itself
        file.seek(free + 10**9)
        file.write(end)
    message = failure(source, destination)
    assert message.startswith(f"{destination.parent}: a copy of {source} needs ")
    assert message.endswith(" are free: make room and run the same command again")
    documented("Archives of your own", "no room for a copy", message, {r"[\d.]+ [kMGT]?B": "… GB"})
    assert list(destination.parent.iterdir()) == []


def test_a_failed_copy_leaves_the_archive_that_was_there(source, destination):
    destination.parent.mkdir()
    destination.write_bytes(b"the archive of last year")
    source.write_bytes(b"not a zip")
    failure(source, destination)
    assert destination.read_bytes() == b"the archive of last year"


def test_a_folder_that_cannot_be_made_is_named(source, tmp_path):
    (tmp_path / "file").write_text("")
    destination = tmp_path / "file" / "faces.zip"
    assert failure(source, destination).startswith(f"{source}: cannot be copied to {destination}: ")
