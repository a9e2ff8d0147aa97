"""An inbox that cannot hurt its transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from btard.network.transport import Inbox

P = ParamSpec("P")
T = TypeVar("T")


class GuardedInbox:
    """Passes everything on. An exception of the inbox is our bug: it goes to the exception handler of the
    loop, and the streams go on, so that no peer can end one by a message that trips a bug of ours."""

    def __init__(self, inbox: Inbox) -> None:
        self.control = _guarded(inbox.control, None)
        self.wants = _guarded(inbox.wants, False)
        self.blob = _guarded(inbox.blob, None)
        self.fault = _guarded(inbox.fault, None)


def _guarded(method: Callable[P, T], otherwise: T) -> Callable[P, T]:
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            context = {"message": f"{method!r} raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            return otherwise

    return guarded
