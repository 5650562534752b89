"""What of a machine and its software decides how long a run takes and which bytes it gives; not its name."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import gpu
from deepfake_ensemble.foundation.fingerprint import VERSIONED
from deepfake_ensemble.studies.common.hardware import processor_model

LIBRARIES = (*VERSIONED, "dvc")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, GPU and system of this machine."""
    return {
        "cpu": processor_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": gpu.name(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def shown(of: Mapping[str, Any]) -> str:
    """Return in a clause what `machine` told, for a page."""
    return f"{of['cpu']}, {of['cores']} cores{', ' + of['gpu'] if of['gpu'] else ''}"


def commit(apart_from: Sequence[str] = (), digits: int = 40, folder: Path = Path()) -> str | None:
    """Return the commit that is checked out, and whether tracked files differ from it; None outside git.

    Args:
        apart_from: files and folders, seen from `folder`, that may differ: results.
        digits: of the commit's name.
        folder: in the repository that is asked; the working folder by default.
    """
    told = _git(folder, "describe", "--always", "--exclude=*", f"--abbrev={digits}")
    others = [f":!{path}" for path in apart_from]
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":/", *others)
    return f"{told}, with changes" if changed else told or None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
