"""ResNet18's published weights are fetched once, and are the published ones or nothing."""

from pathlib import Path

import pytest

from deepfake_ensemble.fetching import checkpoints
from deepfake_ensemble.fetching.checkpoints import Checkpoint
from deepfake_ensemble.fetching.http import Patience
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from file_server import Fault, serve

HASTY = Patience(attempts=2, first_wait=0.01, longest_wait=0.1, connect=5, read=5)
PATH = "timm/resnet18.a1_in1k/resolve/0000/model.safetensors"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for the published one."""
    file = tmp_path / "published"
    file.write_bytes(bytes(range(256)) * 40)
    monkeypatch.setitem(checkpoints.CHECKPOINTS, "resnet18", Checkpoint(PATH, sha256(file)))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return file


def test_the_file_is_fetched_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({PATH: file}) as server:
        monkeypatch.setenv(checkpoints.ENDPOINT, server.url)
        fetched = [checkpoints.fetch("resnet18", HASTY) for _ in range(2)]
    assert fetched[0] == fetched[1]
    assert fetched[0].read_bytes() == file.read_bytes()
    assert len([request for request in server.requests if request.method == "GET"]) == 1


def test_another_file_is_not_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({PATH: file}, faults=[Fault(body=b"something else")] * 2) as server:
        monkeypatch.setenv(checkpoints.ENDPOINT, server.url)
        with pytest.raises(UserError, match="its SHA-256 is") as caught:
            checkpoints.fetch("resnet18", HASTY)
    assert "\n" not in str(caught.value)
    assert not list(Path("models").rglob("*.safetensors"))


def test_a_server_without_it_is_named_with_what_to_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({}) as server:
        monkeypatch.setenv(checkpoints.ENDPOINT, server.url)
        with pytest.raises(UserError, match=r"does not hand it out \(404\).*HF_ENDPOINT"):
            checkpoints.fetch("resnet18", HASTY)


def test_a_mirror_must_be_a_web_address(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(checkpoints.ENDPOINT, "file:///etc")
    with pytest.raises(UserError, match="must begin with https://"):
        checkpoints.fetch("resnet18", HASTY)


def test_the_published_commit_and_check_sum_are_whole() -> None:
    published = checkpoints.CHECKPOINTS["resnet18"]
    assert len(published.sha256) == 64
    assert len(published.path.split("/")[3]) == 40
