"""Where a node's heavy work runs: on a thread beside the event loop, or in the loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

Task = Callable[[], Any]
Deliver = Callable[[Any], None]
Failed = Callable[[BaseException], None]


class Worker(Protocol):
    """Does one piece of work after the other, in order, and delivers each result in the event loop.

    `failed` gets, in the loop, what a piece of work or its delivery raised; its node sets it."""

    failed: Failed

    def submit(self, work: Task, deliver: Deliver) -> None:
        """Queue a piece of work."""

    def stop(self) -> None:
        """Do nothing that is still queued."""


def _unheard(error: BaseException) -> None:
    raise error


class InlineWorker:
    """Works in the event loop: for a whole swarm in one process, in virtual time."""

    def __init__(self) -> None:
        self.failed: Failed = _unheard
        self._stopped = False

    def submit(self, work: Task, deliver: Deliver) -> None:
        """Do it in the loop's next round."""
        asyncio.get_running_loop().call_soon(self._do, work, deliver)

    def _do(self, work: Task, deliver: Deliver) -> None:
        if not self._stopped:
            try:
                deliver(work())
            except Exception as error:
                self.failed(error)

    def stop(self) -> None:
        """Do nothing that is still queued."""
        self._stopped = True


class ThreadWorker:
    """Works on one thread, so that the loop goes on talking: torch releases the GIL in its kernels.

    The machine asks for each effect once an attempt, so the queue is bounded. Python waits for the thread
    before it exits, and must: a thread that is inside torch then raises SIGABRT."""

    def __init__(self) -> None:
        self.failed: Failed = _unheard
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, "btard worker")
        self._stopped = False

    def submit(self, work: Task, deliver: Deliver) -> None:
        """Queue a piece of work."""
        if not self._stopped:
            self._executor.submit(self._do, work, deliver)

    def stop(self) -> None:
        """Do nothing that is still queued; the piece under way ends by itself."""
        self._stopped = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _do(self, work: Task, deliver: Deliver) -> None:
        try:
            result = work()
        except Exception as error:
            self._call(self.failed, error)
        else:
            self._call(deliver, result)

    def _call(self, function: Callable[[Any], None], argument: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, function, argument)

    def _deliver(self, function: Callable[[Any], None], argument: Any) -> None:
        try:
            if not self._stopped:
                function(argument)
        except Exception as error:
            self.failed(error)
