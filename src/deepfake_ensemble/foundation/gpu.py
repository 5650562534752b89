"""The GPU of this machine, as its driver names it."""

import shutil
import subprocess


def name() -> str | None:
    """Return the GPU's name, or the names of several after commas; None where no driver tells one."""
    if shutil.which("nvidia-smi") is None:
        return None
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    if told.returncode:  # why it failed stands where the names would
        return None
    return told.stdout.strip().replace("\n", ", ") or None
