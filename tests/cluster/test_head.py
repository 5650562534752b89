"""A study whose chains run elsewhere ends as one that ran on one machine, whatever happens in between."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest

from deepfake_ensemble.cluster import head
from deepfake_ensemble.cluster.orders import Maker, lock_entries, read_order
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json
from toy_study import OF_CHAINS, Toy

JOINS = ["initialise@cnn", "initialise@resnet", "report", "weigh"]
RATE = "models.resnet.rate"


def edit(toy: Toy, key: str, value: object) -> None:
    toy.set_params({key: value})


def forget(toy: Toy) -> None:
    """Leave nothing of all results but what dvc.lock says of them."""
    for folder in (".dvc/cache", "data", "models", "predictions", "perturbed"):
        shutil.rmtree(toy / folder)


def test_the_results_and_the_lock_are_those_of_one_machine_and_the_head_trains_nothing(
    toy: Toy, one_machine: Mapping[str, bytes]
) -> None:
    toy.head()
    assert toy.results() == one_machine
    assert sorted(toy.ran(here=True)) == JOINS
    assert sorted(toy.ran(here=False)) == OF_CHAINS


@pytest.mark.pipeline
def test_through_a_remote_units_and_head_share_nothing_else(
    toy: Toy, one_machine: Mapping[str, bytes], store
) -> None:
    remote = store(toy)
    toy.head("--remote")
    assert toy.results() == one_machine
    assert sorted(toy.ran(here=False)) == OF_CHAINS
    assert any((remote / "runs").rglob("*")), "the run cache goes there too"

    # Another head that has nothing takes all from there, and so does one whose lock says that all is done.
    forget(toy)
    toy.head("--remote")
    assert toy.results() == one_machine
    assert sorted(toy.ran(here=False)) == OF_CHAINS


@pytest.mark.pipeline
def test_what_the_lock_says_was_done_and_nobody_sent_is_done_again(toy: Toy, store) -> None:
    toy.dvc("repro", environment=toy.environment)
    results = toy.results()
    store(toy)
    forget(toy)
    toy.head("--remote")
    assert toy.results() == results


def test_a_loop_in_a_shell_runs_units_and_the_same_command_goes_on(
    toy: Toy, one_machine: Mapping[str, bytes]
) -> None:
    toy.set_params({"profile": "tiny"})
    measured = {"stages": {"train@cnn": {"seconds": 1}, "train@resnet": {"seconds": 2}}}
    write_json(toy / "docs/measurements/tiny.json", measured)
    told = toy.try_head("--on", "hand")
    assert told.returncode == 1
    order = read_order(toy / ".dvc/tmp/cluster/study")
    assert [chain.name for chain in order.chains] == ["train@resnet", "train@cnn"], "the longest first"
    (loop,) = re.findall(r"run `(.*?)`, or its parts where you like, and then the same", told.stdout)
    before = toy.ran(here=True)
    subprocess.run(["sh", "-ec", loop], env=toy.environment, check=True, capture_output=True)
    toy.head("--on", "hand")
    assert toy.results() == one_machine
    assert set(toy.ran(here=True)) - set(before) == {"weigh", "report"}


def test_a_stage_that_fails_is_named_and_what_the_others_gave_is_kept(toy: Toy) -> None:
    edit(toy, "models.cnn.fails", True)
    failed = toy.try_head()
    assert failed.returncode == 1
    last = failed.stdout.splitlines()[-1]
    assert last.startswith("train@cnn: failed to reproduce 'train@cnn'")
    assert last.endswith("what the other chains gave is kept for the next time")
    assert toy.ran(here=False).count("train@cnn") == 1
    edit(toy, "models.cnn.fails", False)
    toy.head()
    assert toy.ran(here=False).count("train@resnet") == 1


@pytest.mark.pipeline
def test_a_chain_that_nothing_has_changed_for_is_not_handed_out(toy: Toy) -> None:
    toy.head()
    edit(toy, RATE, 0.5)
    assert "cluster: 1 chains, 1 of them to run" in toy.head()
    assert toy.ran(here=False).count("train@cnn") == 1


@pytest.mark.pipeline
def test_of_two_results_in_the_run_cache_the_one_that_was_accepted_wins(toy: Toy) -> None:
    toy.head()
    accepted = toy.results()
    # Another processor model's result of the same training, and newer.
    (entry,) = [
        file
        for file in (toy / ".dvc/cache/runs").rglob("*")
        if file.is_file() and "train@cnn" in file.read_text() and "seed: 43" in file.read_text()
    ]
    md5 = lock_entries(toy.folder)["train@cnn"]["outs"][0]["md5"]
    other = lock_entries(toy.folder)["train@resnet"]["outs"][0]["md5"]
    (entry.with_name("f" * 64)).write_text(entry.read_text().replace(md5, other))
    shutil.rmtree(toy / "models")
    toy.head()
    assert toy.results() == accepted


def test_what_several_kinds_of_machines_made_is_refused_by_name() -> None:
    one = Maker(cpu="A", gpu="none", packages="0" * 64)
    head.refuse_mixed({"train@cnn": one, "train@resnet": one})
    for other in (replace(one, cpu="B"), replace(one, gpu="H100"), replace(one, packages="1" * 64)):
        with pytest.raises(UserError, match=r"train@cnn was run on A, GPU none.*--mixed"):
            head.refuse_mixed({"train@cnn": one, "train@resnet": other})


@pytest.mark.pipeline
def test_answers_of_another_kind_of_machine_are_kept_until_they_are_taken(toy: Toy) -> None:
    toy.try_head("--on", "hand")
    folder = toy / ".dvc/tmp/cluster/study"
    toy.run("python", "-m", "deepfake_ensemble.cluster.unit", str(folder), "0", environment=toy.environment)
    (answer,) = (folder / "answers").iterdir()
    told = json.loads(answer.read_text())
    told["maker"]["cpu"] = "Another"
    answer.write_text(json.dumps(told))
    refused = toy.try_head()
    assert refused.returncode == 1 and "run the same command with --mixed" in refused.stdout
    toy.head("--mixed")
    assert sorted(toy.ran(here=False)) == OF_CHAINS


def test_without_a_remote_it_says_so(toy: Toy) -> None:
    assert "there is no DVC remote to send objects through" in toy.try_head("--remote").stdout
