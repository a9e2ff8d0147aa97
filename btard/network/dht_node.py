"""One node of hivemind's Kademlia DHT, over a libp2p daemon, in this process and event loop.

`import hivemind` takes two seconds and 280 MB: it happens in `DhtNode.start`, not before. `hivemind.DHT`
would fork; `DHTNode`, which we use, is plain asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from btard.crypto import Identity, digest
from btard.errors import NetworkError
from btard.network.daemon import Daemon, DaemonOptions, NoBootstrapError
from btard.network.deadline import within
from btard.network.dht_scope import KNOWN_MAX, STRANGERS_MAX, Scope
from btard.network.libp2p import handed_out, libp2p_id, libp2p_id_text, peer_of
from btard.types import PeerId

PUBLISHERS_MAX = KNOWN_MAX + STRANGERS_MAX
"""Under one key of one node."""

_DHTID_BYTES = 20
_START_TIMEOUT_S = 14.0
_CALL_TIMEOUT_S = 10.0
_PING_TIMEOUT_S = 3.0
_STOP_TIMEOUT_S = 1.0

CLOCK_SKEW_MAX_S = 50.0
"""A larger difference makes fresh publications look expired; they have 60 s left when they are renewed."""


class DhtNode:
    """A daemon and a node on it. Made by `start`; of no use after `stop`."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.addresses: tuple[str, ...] = ()
        """Multiaddrs to join by, the best first."""
        self._p2p: Any = None
        self._kademlia: Any = None

    @classmethod
    async def start(cls, identity: Identity, options: DaemonOptions, scope: Scope) -> DhtNode:
        """Join the swarm of the initial peers, or found one if there are none. Keep for others what is in
        scope.

        Raises NetworkError within 15 seconds (after the import) if nobody answers, the port is taken, or the
        clock of this machine is too far from theirs.
        """
        binary = import_hivemind()
        self = cls(await Daemon.start(binary, identity, options))
        try:
            await within(_START_TIMEOUT_S, self._join(identity, options, scope))
            return self
        except asyncio.TimeoutError:
            await self.stop()
            raise NoBootstrapError(options.initial_peers) from None
        except BaseException:
            await self.stop()
            raise

    async def call(self, what: str, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of hivemind's node. Raises NetworkError after 10 seconds, or if it fails."""
        try:
            return await within(_CALL_TIMEOUT_S, getattr(self._kademlia, method)(*arguments, **options))
        except asyncio.TimeoutError:
            raise NetworkError(f"{what} in the DHT took over {_CALL_TIMEOUT_S:g} s: try again") from None
        except (OSError, RuntimeError, ValueError, asyncio.IncompleteReadError) as error:
            raise NetworkError(f"{what} in the DHT failed ({error}): try again") from error

    async def ping(self, peer: PeerId) -> float | None:
        """Return by how many seconds the clock of `peer` is ahead of ours; None if it does not answer."""
        from hivemind.p2p import PeerID
        from hivemind.proto.dht_pb2 import PingRequest
        from hivemind.utils.timed_storage import get_dht_time

        stub = self._kademlia.protocol.get_stub(PeerID(libp2p_id(peer)))
        before = get_dht_time()
        try:
            answer = await within(_PING_TIMEOUT_S, stub.rpc_ping(PingRequest()))
        except Exception:  # hivemind raises anything here, its own errors and what protobuf says of garbage
            return None
        return float(answer.dht_time - (before + get_dht_time()) / 2)

    async def stop(self) -> None:
        """Leave the DHT and end the daemon."""
        # Asking a dead daemon anything may hang.
        if self._kademlia is not None and not self.daemon.exited.is_set():
            with contextlib.suppress(Exception):
                await within(_STOP_TIMEOUT_S, self._kademlia.shutdown())
        if self._p2p is not None:
            control = self._p2p._client.control
            with contextlib.suppress(Exception):
                await self._p2p.shutdown()
            # hivemind cancels these two and forgets them. If the daemon has died, they hold an error, which
            # asyncio would print with a traceback as never retrieved.
            await asyncio.gather(control._read_task, control._write_task, return_exceptions=True)
        await self.daemon.stop()

    async def _join(self, identity: Identity, options: DaemonOptions, scope: Scope) -> None:
        from hivemind.dht.node import DHTNode
        from hivemind.dht.routing import DHTID
        from hivemind.p2p import P2P
        from hivemind.utils.multiaddr import Multiaddr
        from hivemind.utils.timed_storage import get_dht_time

        from btard.network.dht_storage import BoundedStorage
        from btard.network.dht_validator import PublicationValidator

        me = identity.peer
        self._p2p = await P2P.replicate(Multiaddr(self.daemon.control))
        assert str(self._p2p.peer_id) == libp2p_id_text(me), "the daemon has another key than ours"
        seen = [str(each).partition("/p2p/")[0] for each in await self._p2p.get_visible_maddrs()]
        self.addresses = handed_out(options.announce or seen, me)
        storage = BoundedStorage(scope, get_dht_time)
        try:
            self._kademlia = await DHTNode.create(
                p2p=self._p2p,
                # The same after a restart, or the routing tables of others hold this peer twice.
                node_id=DHTID.from_bytes(digest("network dht node", me)[:_DHTID_BYTES]),
                initial_peers=list(options.initial_peers),
                record_validator=PublicationValidator(scope, get_dht_time),
                strict=False,
                cache_locally=False,
            )
        except RuntimeError:
            raise NoBootstrapError(options.initial_peers) from None
        protocol = self._kademlia.protocol
        # hivemind has no option for either. What others have stored meanwhile has passed the validator; a
        # stranger's word "cache" gains it nothing.
        for key, item in protocol.storage.items():
            storage.store(key, item.value, item.expiration_time)
        protocol.storage, protocol.cache = storage, BoundedStorage(scope, get_dht_time)
        protocol._validate_dictionary = _bounded(protocol._validate_dictionary)
        await self._compare_clocks({peer_of(each) for each in options.initial_peers})

    async def _compare_clocks(self, peers: set[PeerId]) -> None:
        answers = await asyncio.gather(*map(self.ping, peers))
        skew_s = min((each for each in answers if each is not None), key=abs, default=0.0)
        if abs(skew_s) > CLOCK_SKEW_MAX_S:
            side = "behind" if skew_s > 0 else "ahead of"
            raise NetworkError(
                f"this machine's clock is about {abs(skew_s):.0f} s {side} the bootstrap's: set it"
            )


def _bounded(validate: Callable[[bytes, Any], bool]) -> Callable[[bytes, Any], bool]:
    """Refuse an answer of more publishers than a node keeps before the first of them is looked at."""
    return lambda key, dictionary: len(dictionary.data) <= PUBLISHERS_MAX and validate(key, dictionary)


def import_hivemind() -> str:
    """Import hivemind, quietly, and return the path of its daemon."""
    import hivemind
    from hivemind.utils.logging import use_hivemind_log_handler

    # Through the application's own logging, and no chatter about every peer that comes and goes.
    use_hivemind_log_handler("nowhere")
    logging.getLogger("hivemind").setLevel(logging.ERROR)
    return os.path.join(os.path.dirname(hivemind.__file__), "hivemind_cli", "p2pd")
