"""`asyncio.wait_for` that never swallows a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(timeout_s: float, awaitable: Awaitable[T]) -> T:
    """Return the result of `awaitable`, or cancel it and raise asyncio.TimeoutError after `timeout_s`.

    Before Python 3.12 `asyncio.wait_for`, cancelled in the moment in which its awaitable finishes, returns
    the result and forgets that it was cancelled: a loop that waits in it then never ends.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        finished = task.done()
        if not finished:
            task.cancel()
        elif not task.cancelled():
            task.exception()  # seen, should we be cancelled and never ask for the result
    if not finished:
        raise asyncio.TimeoutError
    return task.result()
