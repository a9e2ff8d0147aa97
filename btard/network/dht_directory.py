"""A directory on hivemind's Kademlia DHT, over a libp2p daemon, in this process and event loop.

`import hivemind` takes two seconds and 280 MB: it happens in `create`, not before. Neither forks of ours
nor `hivemind.DHT` (which forks) are used: `DHTNode` is plain asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from btard.crypto import Identity, digest
from btard.errors import NetworkError
from btard.network.daemon import Daemon, no_bootstrap
from btard.network.deadline import within
from btard.network.discovery import check_document
from btard.network.libp2p import libp2p_id_text, peer_of
from btard.network.record import PeerRecord, open_record, seal_record
from btard.types import PeerId

T = TypeVar("T")

_DHTID_BYTES = 20

_CREATE_TIMEOUT_S = 14.0
_CALL_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 1.0
_RESTART_FIRST_S = 0.5
_RESTART_MAX_S = 30.0

_log = logging.getLogger(__name__)


class DhtDirectory:
    """A `Directory` shared by all peers that know one bootstrap's address. Made by `create`.

    A bootstrap is merely a directory without initial peers: whoever is in can let others in.
    """

    def __init__(
        self, identity: Identity, start: Callable[[int], Awaitable[Daemon]], lifetime_s: float
    ) -> None:
        self.me = identity.peer
        self.addresses: tuple[str, ...] = ()
        """Multiaddrs for others to paste as their bootstrap."""
        self._identity = identity
        self._start = start
        self._lifetime_s = lifetime_s
        self._initial_peers: tuple[str, ...] = ()
        self._port = 0
        self._daemon: Daemon | None = None
        self._p2p: Any = None
        self._node: Any = None
        self._published: dict[tuple[bytes, str], bytes] = {}
        self._last_expiration = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def create(
        cls,
        identity: Identity,
        *,
        initial_peers: Sequence[str] = (),
        host: str = "0.0.0.0",
        port: int = 0,
        announce: Sequence[str] = (),
        nat: bool = True,
        lifetime_s: float = 120.0,
    ) -> DhtDirectory:
        """Join the swarm of `initial_peers`, or found one where there are none.

        `announce` are multiaddrs that others reach us at, where they differ from those listened on; `nat`
        allows port mapping and relays; publications live `lifetime_s` and are renewed at a third of it.
        Raises NetworkError within 15 seconds (after the import) where an address is malformed or nobody
        answers.
        """
        for each in initial_peers:
            peer_of(each)
        binary = _import_hivemind()

        async def start(port: int) -> Daemon:
            return await Daemon.start(
                binary,
                identity,
                host=host,
                port=port,
                initial_peers=initial_peers,
                announce=announce,
                nat=nat,
            )

        self = cls(identity, start, lifetime_s)
        self._initial_peers = tuple(initial_peers)
        self._port = port
        try:
            await within(_CREATE_TIMEOUT_S, self._bring_up())
        except asyncio.TimeoutError:
            await self.close()
            raise no_bootstrap(initial_peers) from None
        except BaseException:
            await self.close()
            raise
        self._tasks = [
            asyncio.create_task(self._watch(), name="dht watchdog"),
            asyncio.create_task(self._renew(), name="dht renewal"),
        ]
        return self

    async def publish(self, record: PeerRecord) -> None:
        """Publish this peer's own record; see `Directory.publish`."""
        await self._publish(record.run, "", seal_record(self._identity, record))

    async def members(self, run: bytes) -> dict[PeerId, PeerRecord]:
        """The verified records of a run; see `Directory.members`."""
        from btard.network.dht_validator import members_key

        found = {}
        for payload in await self._find(members_key(run)):
            record = open_record(payload)
            if isinstance(record, PeerRecord) and record.run == run:
                found[record.peer] = record
        return found

    async def publish_document(self, run: bytes, name: str, signed_bytes: bytes) -> None:
        """Publish a document; see `Directory.publish_document`."""
        check_document(name, signed_bytes)
        await self._publish(run, name, signed_bytes)

    async def document(self, run: bytes, name: str, publisher: PeerId) -> bytes | None:
        """The document of that publisher, or None."""
        from btard.network.dht_validator import document_key

        check_document(name, b"")
        payloads = await self._find(document_key(run, name, publisher))
        return payloads[0] if payloads else None

    async def close(self) -> None:
        """Stop renewing, leave the DHT, end the daemon."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._take_down()

    # ------------------------------------------------------------ publishing and finding

    async def _publish(self, run: bytes, name: str, payload: bytes) -> None:
        await self._store(run, name, payload)
        self._published[run, name] = payload

    async def _store(self, run: bytes, name: str, payload: bytes) -> None:
        from hivemind.utils.timed_storage import get_dht_time

        from btard.network.dht_validator import document_key, members_key, seal_publication

        # A node takes a newer value only if it expires later.
        self._last_expiration = max(get_dht_time() + self._lifetime_s, self._last_expiration + 0.001)
        expiration = self._last_expiration
        value = seal_publication(self._identity, run, name, payload, expiration)
        key = document_key(run, name, self.me) if name else members_key(run)
        stored = await self._call(
            lambda node: node.store(key, value, expiration, subkey=bytes(self.me)), "publishing"
        )
        # hivemind reports what the last replica said, and one that has it already, from another, says no.
        if not stored and not await self._holds(key, expiration):
            raise NetworkError("the swarm did not store our record: check that this machine's clock is right")

    async def _holds(self, key: str, expiration: float) -> bool:
        """Whether the swarm has this peer's publication of that expiration."""
        found = await self._call(lambda node: node.get(key, latest=True), "looking up")
        mine = (
            found.value.get(bytes(self.me)) if found is not None and isinstance(found.value, dict) else None
        )
        return mine is not None and mine.expiration_time >= expiration

    async def _find(self, key: str) -> list[bytes]:
        """The payloads of the valid publications under a key."""
        from btard.network.dht_validator import open_publication

        found = await self._call(lambda node: node.get(key, latest=True), "looking up")
        if found is None or not isinstance(found.value, dict):
            return []
        # Verified by the validator already, on their way in; but a check here costs little, and then
        # nothing rests on the paths through hivemind.
        opened = (open_publication(each.value, each.expiration_time) for each in found.value.values())
        return [publication.payload for publication in opened if publication is not None]

    async def _call(self, ask: Callable[[Any], Awaitable[T]], what: str) -> T:
        if self._node is None:
            raise NetworkError(
                "the libp2p daemon has died and is being restarted: try again in a few seconds"
            )
        try:
            return await within(_CALL_TIMEOUT_S, ask(self._node))
        except asyncio.TimeoutError:
            raise NetworkError(
                f"{what} in the DHT took over {_CALL_TIMEOUT_S:g} s: check the connection"
            ) from None
        except (OSError, RuntimeError, ValueError, asyncio.IncompleteReadError) as error:
            raise NetworkError(f"{what} in the DHT failed ({error}): try again") from error

    # ------------------------------------------------------------ the daemon's life

    async def _bring_up(self) -> None:
        from hivemind.dht.node import DHTNode
        from hivemind.dht.routing import DHTID
        from hivemind.p2p import P2P
        from hivemind.utils.multiaddr import Multiaddr
        from hivemind.utils.timed_storage import get_dht_time

        from btard.network.dht_validator import KEYS_MAX, PublicationValidator

        self._daemon = await self._start(self._port)
        self._p2p = await P2P.replicate(Multiaddr(self._daemon.control))
        assert str(self._p2p.peer_id) == libp2p_id_text(self.me), "the daemon has another key than ours"
        self.addresses = tuple(str(each) for each in await self._p2p.get_visible_maddrs())
        try:
            node = await DHTNode.create(
                p2p=self._p2p,
                # The same after a restart, or others' routing tables hold this peer twice.
                node_id=DHTID.from_bytes(digest("network dht node", self.me)[:_DHTID_BYTES]),
                initial_peers=list(self._initial_peers),
                record_validator=PublicationValidator(get_dht_time),
                strict=False,
                cache_size=KEYS_MAX,
            )
        except RuntimeError:
            raise no_bootstrap(self._initial_peers) from None
        node.protocol.storage.maxsize = KEYS_MAX
        self._port = int(Multiaddr(self.addresses[0])["tcp"])
        self._node = node

    async def _take_down(self) -> None:
        node, self._node = self._node, None
        p2p, self._p2p = self._p2p, None
        daemon, self._daemon = self._daemon, None
        # Asking a dead daemon anything may hang.
        if node is not None and daemon is not None and not daemon.exited.is_set():
            with contextlib.suppress(Exception):
                await within(_STOP_TIMEOUT_S, node.shutdown())
        if p2p is not None:
            with contextlib.suppress(Exception):
                await p2p.shutdown()
        if daemon is not None:
            await daemon.stop()

    async def _watch(self) -> None:
        """Replace the daemon when it dies; hivemind itself would never notice."""
        pause_s = _RESTART_FIRST_S
        while True:
            if self._daemon is not None:
                await self._daemon.exited.wait()
                _log.warning("the libp2p daemon has died and is being restarted")
            await self._take_down()
            try:
                await self._bring_up()
                await self._renew_all()
                pause_s = _RESTART_FIRST_S
            except (NetworkError, OSError) as error:
                _log.warning("the libp2p daemon cannot be restarted yet: %s", error)
                await self._take_down()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _RESTART_MAX_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lifetime_s / 3)
            await self._renew_all()

    async def _renew_all(self) -> None:
        for (run, name), payload in tuple(self._published.items()):
            try:
                await self._store(run, name, payload)
            except NetworkError as error:
                _log.warning("what this peer has published could not be renewed: %s", error)


def _import_hivemind() -> str:
    """Import hivemind, quietly; the path of its daemon."""
    import hivemind
    from hivemind.utils.logging import use_hivemind_log_handler

    # Through the application's own logging, and no chatter about every peer that comes and goes.
    use_hivemind_log_handler("nowhere")
    logging.getLogger("hivemind").setLevel(logging.ERROR)
    return os.path.join(os.path.dirname(hivemind.__file__), "hivemind_cli", "p2pd")
