"""What a program, and all that it starts, asks of the network: noticed by strace, whatever library asks."""

import re
import shutil
import time
from pathlib import Path

import pytest

HAS_STRACE = shutil.which("strace") is not None
needs_strace = pytest.mark.skipif(not HAS_STRACE, reason="no strace here")

_CALLS = "trace=connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'AF_INET6?, .*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
_LOOPBACK = ("127.", "::1", "::ffff:127.")


def traced(log: Path) -> list[str]:
    """Return what stands before a command whose calls are to be written to `log`.

    The tracer is a process beside, so that what is sent to the command reaches it.
    """
    return ["strace", "-D", "-f", "-q", "--seccomp-bpf", "-s", "200", "-e", _CALLS, "-o", str(log)]


def asked(log: Path, pid: int | None = None) -> list[str]:
    """Return the addresses that were asked, but for this computer's own; a look-up of a name asks one.

    Args:
        log: of a command that has ended.
        pid: of it, if the log may not be complete yet.
    """
    ended = re.compile(rf"^{pid} .*exited with", re.MULTILINE)
    while not ended.search(calls := log.read_text(errors="replace")) and pid is not None:
        time.sleep(0.1)
    return [address for address in _ADDRESS.findall(calls) if not address.startswith(_LOOPBACK)]
