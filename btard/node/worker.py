"""Where a node's heavy work runs: on a thread beside the event loop, or in the loop itself."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

Work = Callable[[], Any]
Deliver = Callable[[Any], None]


class Worker(Protocol):
    """Does one piece of work after the other, in order, and delivers each result in the event loop."""

    def submit(self, work: Work, deliver: Deliver) -> None:
        """Queue a piece of work. What it raises goes to the loop's exception handler: it's our bug."""

    def stop(self) -> None:
        """Do nothing that is still queued."""


class InlineWorker:
    """Works in the event loop: for a whole swarm in one process, in virtual time."""

    def __init__(self) -> None:
        self._stopped = False

    def submit(self, work: Work, deliver: Deliver) -> None:
        """Do it in the loop's next round."""
        asyncio.get_running_loop().call_soon(self._do, work, deliver)

    def _do(self, work: Work, deliver: Deliver) -> None:
        if not self._stopped:
            deliver(work())

    def stop(self) -> None:
        """Do nothing that is still queued."""
        self._stopped = True


class ThreadWorker:
    """Works on one thread, so that the loop goes on talking. Torch releases the GIL in its kernels."""

    def __init__(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        self._loop = loop
        self._failed = failed
        self._queue: queue.SimpleQueue[tuple[Work, Deliver] | None] = queue.SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="btard worker", daemon=True)
        self._thread.start()

    def submit(self, work: Work, deliver: Deliver) -> None:
        """Queue a piece of work; bounded by the machine, which asks for each effect once."""
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
            except BaseException as error:
                self._call(self._failed, error)
                return
            self._call(deliver, result)

    def _call(self, function: Callable[[Any], None], argument: Any) -> None:
        if not self._stopped and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)
