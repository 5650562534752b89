"""An unpacked data set gives what its zip would, whichever of its folders is named."""

import shutil
import zipfile
from pathlib import Path

import pytest

from deepfake_ensemble.archives.archive import open_archive
from deepfake_ensemble.archives.audit import Audit, AuditParams, audit
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.fetching import folder
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.sample import archives as sample
from errors_page import Documented


@pytest.fixture(scope="module", params=["faces", "cifake"])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive in the layout that its name says, unpacked beside itself."""
    archive = tmp_path_factory.mktemp("published") / f"{request.param}.zip"
    sample.build(request.param, archive, seed=42)
    with zipfile.ZipFile(archive) as file:
        file.extractall(archive.with_suffix(""))
    return archive


@pytest.fixture
def unpacked(published: Path, tmp_path: Path) -> Path:
    """Return the folder that the archive unpacks to, as one's own."""
    return shutil.copytree(published.with_suffix(""), tmp_path / published.stem)


def fetched(source: Path, layout: str, destination: Path) -> Path:
    of = LAYOUTS[layout]
    folder.fetch(source, of.root, list(of.folders()), destination)
    return destination


def audited(archive: Path, layout: str) -> Audit:
    with open_archive(archive) as file:
        return audit(file, LAYOUTS[layout], AuditParams(on_bad_image="fail", seed=42))


def test_all_that_comes_after_finds_what_the_zip_holds(
    published: Path, unpacked: Path, tmp_path: Path
) -> None:
    archive = fetched(unpacked, published.stem, tmp_path / "raw/internal.zip")
    assert audited(archive, published.stem) == audited(published, published.stem)
    with open_archive(archive) as packed, open_archive(published) as zipped:
        assert packed.names == zipped.names
        assert all(packed.read(name) == zipped.read(name) for name in zipped.names)


def test_a_folder_around_it_gives_the_same_bytes(published: Path, unpacked: Path, tmp_path: Path) -> None:
    archive = fetched(unpacked, published.stem, tmp_path / "one.zip")
    around = tmp_path / "around"
    around.mkdir()
    unpacked.rename(around / "archive")
    (around / "read me.txt").write_text("beside the data set, and none of it")
    assert fetched(around, published.stem, tmp_path / "other.zip").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("published", ["faces"], indirect=True)
@pytest.mark.parametrize("named", ["real_vs_fake", "real_vs_fake/real-vs-fake"])
def test_a_folder_inside_it_gives_the_same_images(named: str, published: Path, tmp_path: Path) -> None:
    archive = fetched(published.with_suffix("") / named, "faces", tmp_path / "raw.zip")
    assert audited(archive, "faces").rows == audited(published, "faces").rows


def test_a_link_to_what_can_only_be_read_will_do(published: Path, unpacked: Path, tmp_path: Path) -> None:
    link = tmp_path / "data/local/internal"
    link.parent.mkdir(parents=True)
    link.symlink_to(unpacked)
    for each in [unpacked, *unpacked.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)
    fetched(link, published.stem, tmp_path / "raw.zip")
    assert not list(tmp_path.glob(".partial*"))


def refused(source: Path, destination: Path) -> str:
    with pytest.raises(UserError) as caught:
        fetched(source, "faces", destination)
    assert not destination.exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_folder_is_refused(tmp_path: Path, documented: Documented) -> None:
    source = tmp_path / "data/local/faces"
    message = refused(source, tmp_path / "raw.zip")
    documented("Archives of your own", "unpacked, and missing", message)
    assert message == (
        f"{source}: no such folder: put the unpacked data set there, or a link to it (ln -s /where/it/is"
        f" {source}; `dvc exp run --temp` and `--queue` leave it behind: add `-C {source.parent}`); or choose"
        " another source in params.yaml"
    )


def test_a_folder_of_something_else_is_refused(tmp_path: Path, documented: Documented) -> None:
    source = tmp_path / "data/local/faces"
    (source / "train/REAL").mkdir(parents=True)
    message = refused(source, tmp_path / "raw.zip")
    documented("Archives of your own", "unpacked, and something else", message)
    assert message == (
        f"{source}: the folders of the publisher's archive are not in it, such as"
        " real_vs_fake/real-vs-fake/train/real/: put the data set there as it unpacks, or see data_sets in"
        " params.yaml for its layout"
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, documented: Documented) -> None:
    source = tmp_path / "data/local/faces"
    for each in LAYOUTS["faces"].folders():
        (source / each).mkdir(parents=True)
    broken = source / "real_vs_fake/real-vs-fake/train/real/1.jpg"
    broken.symlink_to(tmp_path / "nothing")
    message = refused(source, tmp_path / "raw.zip")
    documented("Archives of your own", "unpacked, and a file that cannot be read", message)
    assert str(broken) in message
