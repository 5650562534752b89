"""On what results were made: the one thing of a machine that decides over their bytes."""

import platform
import re
from pathlib import Path


def processor_model() -> str:
    """Return the name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    model = (
        re.search(r"^model name\s*: (.*)$", info.read_text(), flags=re.MULTILINE) if info.exists() else None
    )
    return model[1] if model else platform.processor() or platform.machine()
