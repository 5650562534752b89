"""Progress of long work: a bar in a terminal, a line at the start and one at the end in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def count_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` things are done, on standard error.

    Yields a function to be told how many have been done since it was last called.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        start = time.monotonic()
        print(f"{label}: {total:,} to do", file=sys.stderr, flush=True)
        yield lambda count: None
        print(f"{label}: done in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def terminal_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the same to people; for what tells a log in lines of its own how far it is."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    with count_progress(label, total) as advance:
        yield advance


@contextmanager
def bytes_progress(label: str, size: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show how a transfer of `size` bytes (None: unknown) gets on, on standard error.

    Yields a function to be told how many bytes have come since it was last called; `done` came earlier.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        total = "size unknown" if size is None else decimal(size)
        here = f", {decimal(done)} already here" if done else ""
        print(f"{label}: {total}{here}", file=sys.stderr, flush=True)
        yield lambda count: None
        print(f"{label}: done", file=sys.stderr, flush=True)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=size, completed=done)
        yield lambda count: progress.advance(task, count)
