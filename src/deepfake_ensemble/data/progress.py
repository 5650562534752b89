"""Progress of long counts: a bar in a terminal, a line at the start and one at the end in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
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
