"""Let a step end, and its result be kept, before a signal ends the process."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C and SIGTERM back inside the block; yield a function that says whether one has come.

    The block is to look at safe moments and to end itself with KeyboardInterrupt. A second signal does not
    wait for that.
    """
    came = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = {signum: signal.signal(signum, note) for signum in SIGNALS}
    try:
        yield lambda: came
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
