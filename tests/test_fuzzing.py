"""A minute of mutated input; docs/fuzzing.md tells of a longer run."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

import fuzzing
from deepfake_ensemble.foundation.errors import UserError

SOURCES = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]


def test_a_minute_of_mutated_files_is_read_or_refused() -> None:
    command = [sys.executable, fuzzing.__file__, "--seconds", "60", "--seed", "1"]
    done = subprocess.run(
        command, env={"PYTHONPATH": ":".join(SOURCES)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(fuzzing.targets())


@pytest.mark.parametrize("target", fuzzing.targets(), ids=lambda target: target.name)
def test_the_same_seed_makes_the_same_inputs(target: fuzzing.Target) -> None:
    first, second, other = (
        [fuzzing.mutated(target, rng) for _ in range(20)]
        for rng in (random.Random(seed) for seed in (1, 1, 2))
    )
    assert first == second
    assert first != other


def attempted(read) -> fuzzing.Tally:
    tally = fuzzing.Tally()
    fuzzing.attempt(fuzzing.Target("any", 1, [b""], [b""], read), b"x", tally)
    return tally


def test_a_crash_and_a_message_of_two_lines_are_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def crash(path: Path) -> None:
        raise KeyError("bug")

    def babble(path: Path) -> None:
        raise UserError("two\nlines")

    def refuse(path: Path) -> None:
        raise UserError("no")

    assert "KeyError: 'bug'" in attempted(crash).findings[0]
    assert "two\\nlines" in attempted(babble).findings[0]
    assert attempted(refuse).findings == []


TOO_LONG = """
import itertools, time
import fuzzing

def computes(path):
    for _ in itertools.count():
        pass

fuzzing.heed_time()
for read, seconds, patience in (
    (computes, 0.1, 60),
    (lambda path: time.sleep(60), 60, 0.1),
    (lambda path: time.sleep(0.5), 0.1, 60),
):
    tally = fuzzing.Tally()
    with fuzzing.bounded_time(seconds, patience):
        fuzzing.attempt(fuzzing.Target("any", 1, [b""], [b""], read), b"x", tally)
    print([finding.splitlines()[-3] for finding in tally.findings])
"""


def test_a_reader_that_computes_or_waits_too_long_is_a_finding_and_one_that_a_disk_delays_is_none() -> None:
    command = [sys.executable, "-c", TOO_LONG]
    told = subprocess.check_output(command, env={"PYTHONPATH": ":".join(SOURCES)}, text=True)
    assert told.splitlines() == ["['fuzzing.Hang: SIGPROF']", "['fuzzing.Hang: SIGALRM']", "[]"]


def test_writing_elsewhere_and_starting_programs_are_findings(tmp_path: Path) -> None:
    code = (
        "import subprocess; from pathlib import Path; import fuzzing; found = [];"
        "fuzzing.forbid(Path('in'), found); Path('in/a').touch(); assert not found;"
        "Path('b').touch(); subprocess.run(['true']); print(*found, sep='\\n')"
    )
    (tmp_path / "in").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(SOURCES), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    assert told[0] == f"opened for writing: {tmp_path / 'b'}"
    assert told[1].startswith("subprocess.Popen: ")
