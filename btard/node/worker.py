"""Where a node's heavy work runs: on a thread beside the event loop, or in the loop itself."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

Work = Callable[[], Any]
Deliver = Callable[[Any], None]
Failed = Callable[[BaseException], None]


class Worker(Protocol):
    """Does one piece of work after the other, in order, and delivers each result in the event loop.

    `failed` gets, in the loop, what a piece of work or its delivery raised; its node sets it."""

    failed: Failed

    def submit(self, work: Work, deliver: Deliver) -> None:
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

    def submit(self, work: Work, deliver: Deliver) -> None:
        """Do it in the loop's next round."""
        asyncio.get_running_loop().call_soon(self._do, work, deliver)

    def _do(self, work: Work, deliver: Deliver) -> None:
        if not self._stopped:
            try:
                deliver(work())
            except Exception as error:
                self.failed(error)

    def stop(self) -> None:
        """Do nothing that is still queued."""
        self._stopped = True


class ThreadWorker:
    """Works on one thread, so that the loop goes on talking. Torch releases the GIL in its kernels.

    What's queued is bounded by the machine, which asks for each effect once an attempt."""

    def __init__(self) -> None:
        self.failed: Failed = _unheard
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[Work, Deliver] | None] = queue.SimpleQueue()
        self._stopped = False
        threading.Thread(target=self._run, name="btard worker", daemon=True).start()

    def submit(self, work: Work, deliver: Deliver) -> None:
        """Queue a piece of work."""
        self._queue.put((work, deliver))

    def stop(self) -> None:
        """Do nothing that is still queued; the piece under way ends by itself."""
        self._stopped = True
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None and not self._stopped:
            work, deliver = item
            try:
                result = work()
            except Exception as error:
                self._call(self.failed, error)
                return
            self._call(self._deliver, deliver, result)

    def _deliver(self, deliver: Deliver, result: Any) -> None:
        try:
            deliver(result)
        except Exception as error:
            self.failed(error)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        if not self._stopped and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)
