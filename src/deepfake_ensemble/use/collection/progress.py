"""How far a collection is: in images and bytes, how fast, and when it will end."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.live import Live

_EVERY = 30.0  # seconds between two lines in a log


class Progress:
    """Counts what this run has done, and tells it."""

    def __init__(self, total: int | None, live: Live | None) -> None:
        """Begin to count.

        Args:
            total: bytes that there are to do; None if that is not known.
            live: where a line stays and changes; None in a log.
        """
        self.images = self.bytes = 0
        self._total, self._live = total, live
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def done(self, images: int, size: int) -> None:
        """Count a shard that is done."""
        self.images += images
        self.bytes += size
        self.tell(0, 0)

    def tell(self, images: int, size: int) -> None:
        """Tell how far it is, with images of unfinished shards and their bytes."""
        text = self.text(self.images + images, self.bytes + size)
        if self._live:
            self._live.update(text)
        elif time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def text(self, images: int, size: int) -> str:
        """Return the line."""
        rate = images / max(self.seconds, 1e-9)
        of = "" if self._total is None else f" of {decimal(self._total)}"
        left = ""
        if self._total is not None and size:
            left = f", {duration(self.seconds * max(self._total - size, 0) / size)} left"
        return (
            f"classify-collection: {images:,} images, {decimal(size)}{of}, {rate:,.1f} images a second{left}"
        )


@contextmanager
def told(total: int | None) -> Iterator[Progress]:
    """Tell on standard error how far it is: a line that changes in a terminal, now and then one in a log."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Progress(total, None)
        return
    with Live(console=console, refresh_per_second=2) as live:
        yield Progress(total, live)


def duration(seconds: float) -> str:
    """Return a time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])
