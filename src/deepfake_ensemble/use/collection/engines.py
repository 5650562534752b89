"""Who classifies the shards: this process, or workers on Ray, here or on many hosts.

Each hands out two shards a worker, so that one can be fetched while the other is classified, and no more:
however many there are, few are on their way.
"""

import os
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

from deepfake_ensemble.foundation.errors import UserError
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

    A worker that dies is replaced, and its shards are begun again, each alone.

    Args:
        settings: of the workers.
        shards: to classify.
        told: see `Told`.
        workers: how many there are; those that find no room yet are waited for beside the work.
        address: of a cluster that runs; None starts one on this host alone.

    Raises:
        UserError: if Ray is not installed or not reached, or a host lacks the model file.
    """
    ray = _started(workers, address)
    there = ray.cluster_resources()
    gpu = settings.device != "cpu" and there.get("GPU", 0) > 0
    settings = replace(settings, threads=settings.threads or max(1, int(there.get("CPU", 1)) // workers))
    actor = ray.remote(Worker).options(
        num_cpus=settings.threads,
        num_gpus=int(gpu),
        max_restarts=-1,
        max_concurrency=AT_ONCE + 1,
    )
    remaining, at_end = iter(shards), False
    # Of each answer that is awaited: the worker, and its shard; None where it is being opened.
    awaited: dict[Any, tuple[Any, Shard | None]] = {}
    deaths: Counter[Any] = Counter()  # at a shard, or of a worker that was being opened
    alone: deque[Shard] = deque()  # to be tried with no other beside them, which could be at fault
    try:
        for worker in [actor.remote(settings) for _ in range(workers)]:
            awaited[worker.open.remote()] = worker, None
        while alone or not at_end or any(shard for _, shard in awaited.values()):
            answers, _ = ray.wait(list(awaited), num_returns=1, timeout=_TICK)
            for answer in answers:
                worker, shard = awaited.pop(answer)
                outcome = _answer(ray, answer)
                if isinstance(outcome, str):
                    deaths[shard or worker] += 1
                    if deaths[shard or worker] <= _DEATHS:
                        alone.extend([shard] if shard else [])
                    elif shard is None:
                        raise UserError(f"a worker cannot be started: {outcome}")
                    else:
                        yield Undone(shard, "worker", f"{shard.address}: {_DEATHS + 1} workers died at it")
                elif shard:
                    yield outcome
                held = [each for other, each in awaited.values() if other == worker]
                following: list[Shard] = []
                if alone and not held:
                    following = [alone.popleft()]
                elif not alone and not any(deaths[each] for each in held):
                    following = list(islice(remaining, AT_ONCE - len(held)))
                    at_end = at_end or len(following) < AT_ONCE - len(held)
                awaited |= {worker.classify.remote(each): (worker, each) for each in following}
            if not answers:
                told(*_in_hand(ray, {worker for worker, shard in awaited.values() if shard}))
    finally:
        ray.shutdown()


def _answer(ray: Any, answer: Any) -> Any:
    """Return what a worker answers; a line of text if it died."""
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        raise
    except ray.exceptions.RayError as error:
        return str(error).splitlines()[0]


def _in_hand(ray: Any, workers: set[Any]) -> tuple[int, int]:
    """Return how many images of unfinished shards are done, and their bytes, where that is told soon."""
    asked = [worker.in_hand.remote() for worker in workers]
    told, _ = ray.wait(asked, num_returns=len(asked), timeout=_TICK) if asked else ([], [])
    parts = []
    for each in told:
        with suppress(ray.exceptions.RayError):  # of one that has just died
            parts.append(ray.get(each))
    return sum(images for images, _ in parts), sum(size for _, size in parts)


def _started(workers: int, address: str | None) -> Any:
    # Its ports run code for whoever reaches them; it reads these when it is imported.
    os.environ.update(RAY_AUTH_MODE="token", RAY_USAGE_STATS_ENABLED="0")
    if not address:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError:
        raise UserError(
            "several workers need Ray: `pip install 'deepfake-ensemble[cluster]'` brings it; one does without"
        ) from None
    try:
        here: dict[str, Any] = {} if address else {"num_cpus": max(workers, len(os.sched_getaffinity(0)))}
        ray.init(address=address or "local", include_dashboard=None if address else False, **here)
    except (ConnectionError, RuntimeError) as error:
        raise UserError(f"--address {address}: {str(error).splitlines()[0]}") from None
    return ray
