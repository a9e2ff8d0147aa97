"""A directory on hivemind's DHT: signed publications, renewed until their publisher leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from btard.crypto import Identity
from btard.errors import NetworkError
from btard.network.daemon import DaemonOptions, NoBootstrapError
from btard.network.dht_node import DhtNode
from btard.network.dht_scope import Scope
from btard.network.discovery import (
    Directory,
    check_document,
    document_key,
    members_key,
    open_publication,
    seal_publication,
)
from btard.network.libp2p import announced_multiaddr, peer_of
from btard.network.record import PeerRecord, open_record, seal_record
from btard.types import Digest, PeerId

_RETRY_S = 1.0
_RESTART_FIRST_S = 0.5
_RESTART_MAX_S = 30.0

_log = logging.getLogger(__name__)


class DhtDirectory(Directory):
    """A `Directory` shared by all peers that know the address of one of them. Made by `create`.

    A bootstrap is merely a directory without initial peers: each peer within can let others in.
    """

    def __init__(self, identity: Identity, scope: Scope, options: DaemonOptions, lifetime_s: float) -> None:
        self.me = identity.peer
        self.addresses: tuple[str, ...] = ()
        """Multiaddrs for others to join by, the best first: the announced ones, else those listened on."""
        self._identity = identity
        self._scope = scope
        self._options = options
        self._lifetime_s = lifetime_s
        self._node: DhtNode | None = None
        self._published: dict[tuple[bytes, str], bytes] = {}
        self._last_expiration = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def create(
        cls,
        identity: Identity,
        scope: Scope,
        *,
        initial_peers: Sequence[str] = (),
        host: str = "0.0.0.0",
        port: int = 0,
        announce: Sequence[str] = (),
        wait_s: float = 0.0,
        nat: bool = True,
        lifetime_s: float = 90.0,
    ) -> DhtDirectory:
        """Join the swarm of `initial_peers`, of which one must answer, or found one if there are none. Only
        what is in `scope` is kept for others and believed; this peer's own publications are always kept.

        `announce` are addresses (HOST:PORT or multiaddrs) by which others reach us, if they differ from those
        listened on. `wait_s` is how long to try again while nobody answers. `nat` allows port mapping and
        relays. Publications live `lifetime_s` and are renewed at a third of it. Raises NetworkError if an
        address is malformed, the port is taken, nobody answers, or the clocks differ too much.
        """
        for each in initial_peers:
            peer_of(each)
        announced = tuple(map(announced_multiaddr, announce))
        options = DaemonOptions(host, port, tuple(initial_peers), announced, nat)
        scope.know((identity.peer,))
        self = cls(identity, scope, options, lifetime_s)
        loop = asyncio.get_running_loop()
        limit = loop.time() + wait_s
        while self._node is None:
            try:
                await self._start()
            except NoBootstrapError:
                if loop.time() >= limit:
                    raise
                await asyncio.sleep(_RETRY_S)
        self._tasks = [
            asyncio.create_task(self._watch(), name="dht watchdog"),
            asyncio.create_task(self._renew(), name="dht renewal"),
        ]
        return self

    async def publish(self, record: PeerRecord) -> None:
        await self._publish(record.run, "", seal_record(self._identity, record))

    async def withdraw(self, run: Digest) -> None:
        if self._published.pop((run, ""), None) is not None:
            await self._store(run, "", b"")

    async def members(self, run: bytes) -> dict[PeerId, PeerRecord]:
        found = {}
        for payload in await self._find(members_key(run)):
            record = open_record(payload)
            if isinstance(record, PeerRecord) and record.run == run:
                found[record.peer] = record
        return found

    async def publish_document(self, run: bytes, name: str, signed_bytes: bytes) -> None:
        check_document(name, signed_bytes)
        await self._publish(run, name, signed_bytes)

    async def document(self, run: bytes, name: str, publisher: PeerId) -> bytes | None:
        check_document(name, b"")
        payloads = await self._find(document_key(run, name, publisher))
        return payloads[0] if payloads else None

    def know(self, peers: Iterable[PeerId]) -> None:
        """Always keep what these peers publish, whatever strangers store."""
        self._scope.know(peers)

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stop()

    # ------------------------------------------------------------ publishing and finding

    async def _publish(self, run: bytes, name: str, payload: bytes) -> None:
        await self._store(run, name, payload)
        self._published[run, name] = payload

    async def _store(self, run: bytes, name: str, payload: bytes) -> None:
        from hivemind.utils.timed_storage import get_dht_time

        # A node takes a newer value only if it expires later.
        self._last_expiration = max(get_dht_time() + self._lifetime_s, self._last_expiration + 0.001)
        expiration = self._last_expiration
        value = seal_publication(self._identity, run, name, payload, expiration)
        key = document_key(run, name, self.me) if name else members_key(run)
        stored = await self._live().call("publishing", "store", key, value, expiration, subkey=bytes(self.me))
        # hivemind reports what the last replica said, and one that has it already, from another, says no.
        if not stored and not await self._holds(key, expiration):
            raise NetworkError(
                "the directory did not keep what this peer has published: check this machine's clock"
            )

    async def _holds(self, key: str, expiration: float) -> bool:
        """Return whether the swarm has this peer's publication of that expiration."""
        mine = (await self._get(key)).get(bytes(self.me))
        return mine is not None and mine.expiration_time >= expiration

    async def _find(self, key: str) -> list[bytes]:
        """Return the payloads of the valid publications under a key."""
        # Verified by the validator already, on their way in; but a check here costs little, and then
        # nothing rests on the paths through hivemind.
        found = (await self._get(key)).values()
        opened = (open_publication(each.value, each.expiration_time) for each in found)
        return [publication.payload for publication in opened if publication is not None]

    async def _get(self, key: str) -> dict[Any, Any]:
        found = await self._live().call("looking up", "get", key, latest=True)
        return found.value if found is not None and isinstance(found.value, dict) else {}

    def _live(self) -> DhtNode:
        if self._node is None:
            raise NetworkError(
                "the libp2p daemon has died and is being restarted: try again in a few seconds"
            )
        return self._node

    # ------------------------------------------------------------ the life of the node

    async def _start(self) -> None:
        self._node = await DhtNode.start(self._identity, self._options, self._scope)
        self.addresses = self._node.addresses
        if not self._options.announce:  # the same port after a restart
            self._options = replace(self._options, port=int(self.addresses[0].split("/")[4]))

    async def _stop(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            await node.stop()

    async def _watch(self) -> None:
        """Replace the daemon when it dies; hivemind itself would never notice."""
        pause_s = _RESTART_FIRST_S
        while True:
            if self._node is not None:
                await self._node.daemon.exited.wait()
                _log.warning("the libp2p daemon has died and is being restarted")
                await self._stop()
            try:
                await self._start()
                await self._renew_all()
                pause_s = _RESTART_FIRST_S
            except (NetworkError, OSError) as error:
                _log.warning("the libp2p daemon cannot be restarted yet: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _RESTART_MAX_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lifetime_s / 3)
            await self._renew_all()

    async def _renew_all(self) -> None:
        for (run, name), payload in tuple(self._published.items()):
            try:
                if (run, name) in self._published:  # it may have been withdrawn meanwhile
                    await self._store(run, name, payload)
            except NetworkError as error:
                _log.warning("what this peer has published could not be renewed: %s", error)
