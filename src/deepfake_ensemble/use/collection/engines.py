"""Who classifies the shards: this process, or workers on Ray, here or on many hosts.

Each hands out two shards a worker, so that one can be fetched while the other is classified, and no more:
however many there are, few are on their way.
"""

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

from deepfake_ensemble.distributed.ray_session import require_gpus, started
from deepfake_ensemble.foundation.errors import UserError, first_line
from deepfake_ensemble.use.collection.shards import Shard
from deepfake_ensemble.use.collection.worker import Outcome, Settings, Undone, Worker

AT_ONCE = 2
"""Shards that a worker has."""

_DEATHS = 2  # of workers that a shard may outlive
_TICK = 1.0  # seconds between two looks at how far they are

Told: TypeAlias = Callable[[int, int], None]
"""Takes how many images of unfinished shards are done, and their bytes."""


def in_process(settings: Settings, shards: Iterable[Shard], told: Told) -> Iterator[Outcome]:
    """Classify shards in this process, and yield what becomes of each, as they are done.

    Raises:
        UserError: if the model file cannot be used.
    """
    worker, remaining = Worker(settings), iter(shards)
    worker.open()
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="shard")
    try:
        running: set[Future[Outcome]] = set()
        while True:
            more = islice(remaining, AT_ONCE - len(running))
            running |= {pool.submit(worker.classify, shard) for shard in more}
            if not running:
                return
            done, running = wait(running, _TICK, FIRST_COMPLETED)
            yield from (each.result() for each in done)
            told(*worker.in_hand())
    finally:
        worker.stop()
        pool.shutdown(cancel_futures=True)


def on_ray(
    settings: Settings, shards: Iterable[Shard], told: Told, *, workers: int, address: str | None
) -> Iterator[Outcome]:
    """Classify shards by so many workers on Ray; see `in_process`.

    A worker that dies is replaced, by us: while Ray restarts one, it refuses what is asked of it. Its shards
    are begun again, each alone.

    Args:
        settings: of the workers.
        shards: to classify.
        told: see `Told`.
        workers: how many there are; those that find no room yet are waited for beside the work.
        address: of a cluster that runs; None starts one on this host alone.

    Raises:
        UserError: if Ray is not installed or not reached, this host has fewer GPUs, or a host lacks the model
            file.
    """
    if address is None and settings.device != "cpu":
        require_gpus(workers)
    ray = started(address, cpus=max(workers, len(os.sched_getaffinity(0))), gpus=None)
    team = _Team(ray, settings, workers)
    try:
        for _ in range(workers):
            team.hire()
        remaining = iter(shards)
        while team.at_work:
            outcomes = list(team.outcomes())
            yield from outcomes
            team.hand_out(remaining)
            if not outcomes:
                told(*team.in_hand())
    finally:
        ray.shutdown()


class _Team:
    """Workers on Ray, and the shards that they have."""

    def __init__(self, ray: Any, settings: Settings, workers: int) -> None:
        there = ray.cluster_resources()
        gpu = settings.device != "cpu" and there.get("GPU", 0) > 0
        hosts = [host["Resources"] for host in ray.nodes() if host["Alive"]]
        most = max(int(host.get("CPU", 1)) for host in hosts if not gpu or host.get("GPU"))
        threads = min(most, settings.threads or max(1, int(there.get("CPU", 1)) // workers))
        room = sum(
            min(int(host.get("CPU", 0)) // threads, int(host.get("GPU", 0)) if gpu else workers)
            for host in hosts
        )
        if workers > room:
            print(
                f"classify-collection: --workers {workers}: there is room for {room}, the others wait for it",
                file=sys.stderr,
            )
        self._ray = ray
        self._settings = replace(settings, threads=threads)
        self._actor = ray.remote(Worker).options(
            num_cpus=threads, num_gpus=int(gpu), max_concurrency=AT_ONCE + 1
        )
        # Of each answer that is awaited: the worker, and its shard; None where it is being opened.
        self._awaited: dict[Any, tuple[Any, Shard | None]] = {}
        self._ready: set[Any] = set()
        self._openings_left = workers * (_DEATHS + 1)
        self._deaths: Counter[Shard] = Counter()
        self._alone: deque[Shard] = deque()  # to be tried with no other beside them, which could be at fault
        self._at_end = False

    def hire(self) -> None:
        """Have one more worker; it gets no shard before it has found room and opened the model file."""
        worker = self._actor.remote(self._settings)
        self._awaited[worker.open.remote()] = worker, None

    @property
    def at_work(self) -> bool:
        return bool(self._alone) or not self._at_end or any(shard for _, shard in self._awaited.values())

    def outcomes(self) -> Iterator[Outcome]:
        """Wait a moment for an answer, and yield what became of its shard.

        Raises:
            UserError: if no worker can be started.
        """
        answers, _ = self._ray.wait(list(self._awaited), num_returns=1, timeout=_TICK)
        for each in answers:
            worker, shard = self._awaited.pop(each)
            try:
                answer = self._ray.get(each)
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, UserError):
                    raise UserError(str(error.cause)) from None
                raise
            except self._ray.exceptions.RayError as error:
                yield from self._died(worker, shard, first_line(error))
                continue
            if shard:
                yield answer
            else:
                self._ready.add(worker)

    def _died(self, worker: Any, shard: Shard | None, how: str) -> Iterator[Outcome]:
        if worker in self._ready or shard is None:  # it had two shards, and is replaced once
            self._ready.discard(worker)
            self.hire()
        if shard is None:
            self._openings_left -= 1
            if not self._openings_left:
                raise UserError(f"no worker can be started: {how}")
        else:
            self._deaths[shard] += 1
            if self._deaths[shard] <= _DEATHS:
                self._alone.append(shard)
            else:
                yield Undone(shard, "worker", f"{shard.address}: {_DEATHS + 1} workers died at it")

    def hand_out(self, remaining: Iterator[Shard]) -> None:
        """Give workers what they have room for."""
        for worker in self._ready:
            held = [shard for other, shard in self._awaited.values() if other == worker and shard]
            following: list[Shard] = []
            if self._alone and not held:
                following = [self._alone.popleft()]
            elif not self._alone and not self._at_end and not any(self._deaths[shard] for shard in held):
                following = list(islice(remaining, AT_ONCE - len(held)))
                self._at_end = len(following) < AT_ONCE - len(held)
            self._awaited |= {worker.classify.remote(each): (worker, each) for each in following}

    def in_hand(self) -> tuple[int, int]:
        """Return how many images of unfinished shards are done, and their bytes, where that is told soon."""
        busy = {worker for worker, shard in self._awaited.values() if shard}
        asked = [worker.in_hand.remote() for worker in busy]
        told, _ = self._ray.wait(asked, num_returns=len(asked), timeout=_TICK) if asked else ([], [])
        parts = []
        for each in told:
            with suppress(self._ray.exceptions.RayError):  # of one that has just died
                parts.append(self._ray.get(each))
        return sum(images for images, _ in parts), sum(size for _, size in parts)
