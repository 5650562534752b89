"""Ray is told of the GPUs that there are, and of no others."""

from pathlib import Path

import pytest

from deepfake_ensemble.distributed import ray_session
from deepfake_ensemble.foundation.errors import UserError


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(ray_session, "DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("visible", "there"), [("0,1", 2), ("1", 1), ("GPU-8932f937", 1), ("", 0), ("-1", 0), ("0,-1,1", 1)]
)
def test_gpus_that_are_hidden_from_a_process_are_none_of_its_own(
    monkeypatch: pytest.MonkeyPatch, visible: str, there: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert ray_session.host_gpus() == there


@pytest.mark.usefixtures("two_gpus")
def test_workers_get_a_gpu_each_and_more_of_them_than_there_are_gpus_are_refused() -> None:
    assert [ray_session.require_gpus(workers) for workers in (0, 1, 2)] == [2, 1, 2]
    with pytest.raises(UserError, match=r"^--workers 3: this host has GPUs for 2; "):
        ray_session.require_gpus(3)


def test_without_a_gpu_there_are_as_many_workers_as_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_session, "DEVICES", tmp_path)
    assert ray_session.require_gpus(3) == 0
