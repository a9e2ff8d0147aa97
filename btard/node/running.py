"""Runs a program's main coroutine on uvloop, and ends it well: on Ctrl-C, on SIGTERM, with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, tied: bool = False) -> T:
    """Run to the end. SIGINT and SIGTERM cancel `main`, which cleans up. Then SIGINT raises
    KeyboardInterrupt, and SIGTERM ends the program with status 0: it has done what it was asked for.

    `tied`: the end of standard input, which a parent holds open while it lives, does what SIGTERM does."""
    import uvloop

    stop: BaseException = SystemExit(0)

    async def guarded() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(main)

        def interrupt() -> None:
            nonlocal stop
            stop = KeyboardInterrupt()
            task.cancel()

        def watch() -> None:
            if not os.read(sys.stdin.fileno(), 1024):
                loop.remove_reader(sys.stdin.fileno())
                task.cancel()

        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        loop.add_signal_handler(signal.SIGINT, interrupt)
        if tied:
            loop.add_reader(sys.stdin.fileno(), watch)
        return await task

    try:
        return uvloop.run(guarded())
    except asyncio.CancelledError:
        raise stop from None
