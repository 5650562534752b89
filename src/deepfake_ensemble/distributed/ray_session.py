"""Ray: on this host alone, or a cluster that runs already.

Whoever reaches Ray's ports can run any code: here they are on loopback only, and ask for a token.
"""

import os
import secrets
from itertools import takewhile
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError, first_line

DEVICES = Path("/dev")

# Read by Ray when it is imported. Those of the network let it notice in half a minute that a host is gone.
SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_grpc_client_keepalive_time_ms": "20000",
    "RAY_grpc_client_keepalive_timeout_ms": "20000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
}


def started(address: str | None, cpus: int, gpus: int | None) -> Any:
    """Start Ray, or reach a cluster, and return the module.

    Args:
        address: of a cluster, HOST:PORT; without one, Ray is started on this host and ends with the process.
        cpus: what it hands out on this host.
        gpus: the same; None: all that there are.

    Raises:
        UserError: if Ray is not installed, or the cluster cannot be reached.
    """
    os.environ.update(SETTINGS)
    os.environ.setdefault("RAY_TMPDIR", "/tmp")  # its sockets' paths may have 107 characters, and TMPDIR many
    if not address:
        # By itself Ray would leave one in ~/.ray; it keeps the first that a process has.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # By its name for other systems, what keeps Ray on loopback: on Linux it takes the host's own address.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError:
        raise UserError(
            "Ray is not installed; the extra `cluster` brings it (pip install 'deepfake-ensemble[cluster]')"
        ) from None
    here: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": False}
    try:
        ray.init(address=address or "local", **({} if address else here))
    except UnicodeEncodeError:
        raise UserError(
            "Ray takes no command whose words are not UTF-8: name a folder above, or a list of what is meant"
        ) from None
    except Exception as error:  # a start that takes too long is one of no class of its own
        raise UserError(f"Ray at {address or 'this host'}: {first_line(error)}") from None
    return ray


def host_gpus() -> int:
    """Return how many GPUs this host has for this process."""
    devices = len(list(DEVICES.glob("nvidia[0-9]*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return devices
    # CUDA takes them up to the first that cannot be, as -1.
    shown = takewhile(lambda each: each.strip() and not each.strip().startswith("-"), visible.split(","))
    return min(devices, len(list(shown)))


def require_gpus(workers: int) -> int:
    """Return how many of this host's GPUs so many workers get, one each: none where it has none.

    Args:
        workers: at once; 0: as many as there are GPUs.

    Raises:
        UserError: if it has some, but fewer.
    """
    there = host_gpus()
    if there and workers > there:
        raise UserError(
            f"--workers {workers}: this host has GPUs for {there}; take so many, or hide them"
            " (CUDA_VISIBLE_DEVICES=) to compute on its cores"
        )
    return min(workers or there, there)
