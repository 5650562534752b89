"""Where and by whom it runs decides no byte: folder, home, language, time zone, file modes, cores.

And no stage asks a host, or leaves anything in its user's home.
"""

import os
from pathlib import Path

import pytest

from clones import clone, ran
from tracing import HAS_STRACE, asked, traced

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

SURROUNDINGS = {
    "LANG": "C",
    "LC_ALL": "C",
    "TZ": "Pacific/Kiritimati",  # the next day already
    "OMP_NUM_THREADS": "7",
    "OPENBLAS_NUM_THREADS": "7",
    "PYTHONHASHSEED": "9",
    "COLUMNS": "60",
}


def test_other_surroundings_give_the_same_bytes(whole_run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    there = clone(tmp_path / "Ein anderer Ort, mit Ümlaut" / "clone", whole_run.clone.folder)
    lock = (there / "dvc.lock").read_bytes()
    one_core = str(min(os.sched_getaffinity(0)))
    calls = tmp_path / "calls"
    log = there.run(
        *(traced(calls) if HAS_STRACE else ()),
        *("sh", "-c", 'umask 077; exec taskset -c "$0" dvc repro --force --no-run-cache', one_core),
        environment={**SURROUNDINGS, "HOME": str(tmp_path / "home")},
    )
    assert sorted(ran(log)) == sorted(there.yaml("dvc.lock")["stages"]), "no result may come from a cache"
    assert (there / "dvc.lock").read_bytes() == lock
    assert there.changed() == ""
    assert not HAS_STRACE or asked(calls) == []
    assert list((tmp_path / "home").rglob("*")) == []
