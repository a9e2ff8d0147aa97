"""A peer's entry in the directory, made and kept in the background: nothing of joining waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from btard.crypto import Identity
from btard.errors import NetworkError
from btard.network import DhtDirectory, PeerRecord
from btard.network.deadline import within
from btard.network.dht_scope import Scope
from btard.types import Digest, PeerId

WITHDRAW_S = 2.0
"""Time limit for withdrawing this peer's addresses at its end."""


@dataclass(slots=True)
class Listing:
    """Joins the directory and publishes `record` there. `note` gets a sentence if that fails: the peer goes
    on without, and misses nothing while the bootstrap answers."""

    identity: Identity
    scope: Scope
    record: PeerRecord
    note: Callable[[str], None]
    directory: DhtDirectory | None = None
    """The directory, once this peer is in it."""
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self, nodes: tuple[str, ...], host: str) -> None:
        """Begin, by these nodes of the directory."""
        if nodes:
            self._task = asyncio.create_task(self._publish(nodes, host), name="listing")

    def know(self, peers: Iterable[PeerId]) -> None:
        """Keep the entries of these peers, whatever strangers store."""
        self.scope.know(peers)

    async def close(self) -> None:
        """Withdraw the entry and leave the directory."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        directory, self.directory = self.directory, None
        if directory is not None:
            with contextlib.suppress(NetworkError, asyncio.TimeoutError):
                await within(WITHDRAW_S, directory.withdraw(Digest(self.record.run)))
            await directory.close()

    async def _publish(self, nodes: tuple[str, ...], host: str) -> None:
        try:
            self.directory = await DhtDirectory.create(
                self.identity, self.scope, initial_peers=nodes, host=host
            )
            await self.directory.publish(self.record)
        except NetworkError as error:
            self.note(f"this peer is not in the directory, which matters if the bootstrap goes: {error}")
