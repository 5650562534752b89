"""How much one address may ask for."""

import time
from collections import OrderedDict
from collections.abc import Callable

_ADDRESSES = 1_024  # that are remembered; the one that asked longest ago is forgotten first


class Allowance:
    """So many requests a minute from each address, in a burst or evenly."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, and when that was so

    def wait(self, address: str) -> float:
        """Count a request; return 0 if it may go ahead, else in how many seconds it may be repeated."""
        now = self._clock()
        left, since = self._left.pop(address, (float(self._a_minute), now))
        left = min(left + (now - since) * self._a_minute / 60, self._a_minute)
        granted = left >= 1
        self._left[address] = (left - granted, now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if granted else (1 - left) * 60 / self._a_minute
