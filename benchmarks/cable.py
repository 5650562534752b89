"""Run the toy study of the tests on two hosts of Ray, pull the cable, and compare with `dvc repro`.

    python benchmarks/cable.py

The hosts are network namespaces of this one (as root), joined by a pair of virtual Ethernet devices. The
cable is pulled when both train, so the head loses one of two chains. Prints how long all took and when the
lost chain was started again, and exits with code 1 where results differ.
"""

import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path += ["tests", "src"]

import toy_study
from deepfake_ensemble.distributed.ray_session import SETTINGS
from slurm import wait_for

HOSTS = {"cluster-one": "10.98.0.1", "cluster-two": "10.98.0.2"}
STEPS = 600  # of a tenth of a second


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=not check)


@contextmanager
def hosts() -> Iterator[None]:
    """Make two namespaces with a cable between them."""
    one, two = HOSTS
    try:
        for name in HOSTS:
            _ip("netns", "delete", name, check=False)  # of a run that was killed
            _ip("netns", "add", name)
        _ip("-n", one, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", two)
        for name, address in HOSTS.items():
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                _ip("-n", name, "link", "set", device, "up")
        yield
    finally:
        for name in HOSTS:
            _ip("netns", "delete", name, check=False)


_START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=2"]


def _temporary(scratch: Path, host: str) -> dict[str, str]:
    """Return what makes clones, cache and Ray's own files those of one host."""
    return {"TMPDIR": str(scratch / host), "RAY_TMPDIR": str(scratch / host / "ray")}


@contextmanager
def ray(scratch: Path, environment: dict[str, str]) -> Iterator[str]:
    """Start Ray on both hosts, one after the other, each for two chains; yield the cluster's address."""
    address = f"{HOSTS['cluster-one']}:6379"
    daemons = []
    try:
        for name, ip in HOSTS.items():
            own = scratch / name
            own.mkdir()
            joins = ["--head", "--port=6379", "--include-dashboard=false"]
            command = [*_START, f"--node-ip-address={ip}", *([f"--address={address}"] if daemons else joins)]
            said = scratch / f"{name}.txt"
            with said.open("w") as output:
                daemons.append(
                    subprocess.Popen(
                        ["ip", "netns", "exec", name, *command],
                        env=environment | _temporary(scratch, name),
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
            wait_for(
                lambda said=said, daemon=daemons[-1]: (
                    "runtime started" in said.read_text() or daemon.poll() is not None
                )
            )
            assert daemons[-1].poll() is None, said.read_text()
        yield address
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            daemon.wait()


def main() -> None:
    """Run the toy study both ways."""
    with tempfile.TemporaryDirectory(prefix="cable-", dir="/tmp") as folder, hosts():
        scratch = Path(folder)
        alone, there = (toy_study.make(scratch / name) for name in ("alone", "toy"))
        alone.dvc("repro", environment=alone.environment)
        there.dvc("remote", "add", "--quiet", "--local", "--default", "store", str(scratch / "store"))
        environment = there.environment | SETTINGS | {"TOY_STEPS": str(STEPS)}
        # Ray would end trainings when others fill this host's memory.
        environment |= {"RAY_memory_monitor_refresh_ms": "0"}
        environment |= {"RAY_AUTH_TOKEN": secrets.token_hex(32), "HOME": folder}
        with ray(scratch, environment) as address:
            start = time.monotonic()
            command = [sys.executable, "-m", "deepfake_ensemble.cluster", "--on=ray", f"--address={address}"]
            head = subprocess.Popen(
                ["ip", "netns", "exec", "cluster-one", *command],
                cwd=there.folder,
                env=environment | _temporary(scratch, "cluster-one"),
            )

            def trainings() -> list[str]:
                log = there.log.read_text() if there.log.exists() else ""
                return re.findall(r"^(train@\w+) (\S+) \d+$", log, re.MULTILINE)

            wait_for(lambda: len(trainings()) == 2 or head.poll() is not None)
            time.sleep(3)
            pulled = time.monotonic()
            _ip("-n", "cluster-one", "link", "set", "cable", "down")
            print(f"cable: pulled after {pulled - start:.0f} s, in {trainings()}", flush=True)
            wait_for(lambda: len(trainings()) == 3 or head.poll() is not None)
            print(f"cable: a third training after another {time.monotonic() - pulled:.0f} s", flush=True)
            code = head.wait()
            seconds = time.monotonic() - start
        expected, found = alone.results(), there.results()
        same = sum(found.get(path) == content for path, content in expected.items() if path != "dvc.lock")
        lock = alone.yaml("dvc.lock") == there.yaml("dvc.lock")
        print(f"cable: exit code {code}, {seconds:.0f} s; the head ran {', '.join(there.ran(here=True))}")
        print(f"cable: {same} of {len(expected) - 1} results are the same bytes; dvc.lock: {lock}")
        if code or same < len(expected) - 1 or not lock:
            sys.exit(1)


if __name__ == "__main__":
    main()
