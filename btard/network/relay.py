"""Bytes carried between two sockets, in both directions, unread."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

_FLUSH_S = 1.0
"""For the bytes that are still to be written to one end when the other has closed."""


class Relay:
    """Carries bytes between a remote and a server. A full end holds the other one back, so that at most some
    hundred KiB are held.

    `passes` is asked before bytes of the remote are carried, and told their number; `ended` is called when an
    end has closed, perhaps twice."""

    def __init__(self, passes: Callable[[int], bool], ended: Callable[[], None]) -> None:
        self._remote = _End(passes, ended)
        self._server = _End(lambda _: True, ended)
        self._remote.other, self._server.other = self._server, self._remote

    async def open(self, remote: socket.socket, server: socket.socket) -> None:
        """Begin with two connected sockets, which are the relay's from now on. Raises OSError."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: self._server, sock=server)
            await loop.connect_accepted_socket(lambda: self._remote, remote)
        except BaseException:
            self.abort()
            remote.close()
            raise

    def abort(self) -> None:
        """Close both ends now, whatever is still to be written."""
        for end in (self._remote, self._server):
            if end.transport is not None:
                end.transport.abort()


class _End(asyncio.Protocol):
    """What comes here goes to the other end."""

    def __init__(self, passes: Callable[[int], bool], ended: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.other = self
        self._passes = passes
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._passes(len(data)) and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended()
        last = self.other.transport
        if last is not None and not last.is_closing():
            last.close()
            asyncio.get_running_loop().call_later(_FLUSH_S, last.abort)
