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

    loop = uvloop.new_event_loop()
    stop: BaseException = SystemExit(0)

    def interrupt() -> None:
        nonlocal stop
        stop = KeyboardInterrupt()
        task.cancel()

    try:
        asyncio.set_event_loop(loop)
        task = loop.create_task(main)
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        loop.add_signal_handler(signal.SIGINT, interrupt)
        if tied:
            loop.add_reader(sys.stdin.fileno(), _watch, loop, task)
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise stop from None
        finally:
            _cancel_rest(loop)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _watch(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        loop.remove_reader(sys.stdin.fileno())
        task.cancel()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
