"""An inbox that cannot hurt its transport."""

from __future__ import annotations

import asyncio

from btard.network.transport import Inbox
from btard.types import Digest, Fault, PeerId


class GuardedInbox:
    """Passes everything on; an exception there is our bug, and goes to the loop's exception handler, while
    the streams go on: no peer may be able to end one by a message that trips a bug of ours."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def control(self, sender: PeerId, raw: bytes) -> None:
        """Pass on a control message."""
        try:
            self._inbox.control(sender, raw)
        except Exception as error:
            _report("control", error)

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Pass on the question; in doubt, no."""
        try:
            return self._inbox.wants(sender, digest, size)
        except Exception as error:
            _report("wants", error)
            return False

    def blob(self, sender: PeerId, digest: Digest, data: bytes) -> None:
        """Pass on a blob."""
        try:
            self._inbox.blob(sender, digest, data)
        except Exception as error:
            _report("blob", error)

    def fault(self, fault: Fault) -> None:
        """Pass on a fault."""
        try:
            self._inbox.fault(fault)
        except Exception as error:
            _report("fault", error)


def _report(method: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"Inbox.{method} raised", "exception": error}
    )
