"""The DHT directory with real libp2p daemons on loopback; forged publications; daemons that die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from btard.crypto import digest
from btard.errors import ConfigurationError, NetworkError
from btard.network import DhtDirectory, Directory, PeerRecord
from btard.network.certificate import Certificate
from btard.network.dht_scope import Document, Scope
from btard.network.discovery import document_key, members_key, seal_publication
from btard.network.libp2p import libp2p_id_text, peer_of
from btard.network.record import seal_record
from btard.types import PeerId
from tests.network.rigs import DEADLINE_S, RUN, MemoryDirectory, Shelf, eventually, identity

# Loading hivemind (2 s) is paid for by the first test that creates a DhtDirectory.


def record(number: int, sequence: int = 0) -> PeerRecord:
    who = identity(number)
    return PeerRecord(RUN, who.peer, sequence, ("127.0.0.1:7070",), Certificate.from_seed(who.seed).der)


async def join(number: int, *bootstraps: str, **options: Any) -> DhtDirectory:
    defaults = {"host": "127.0.0.1", "nat": False}
    scope = Scope(RUN, [Document(RUN, "genesis", identity(1).peer)])
    return await DhtDirectory.create(identity(number), scope, initial_peers=bootstraps, **defaults | options)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def pair() -> AsyncIterator[tuple[DhtDirectory, DhtDirectory]]:
    bootstrap = await join(1)
    other = await join(2, *bootstrap.addresses)
    yield bootstrap, other
    await other.close()
    await bootstrap.close()


async def exercise(a: Directory, b: Directory) -> None:
    """What every directory promises."""
    await a.publish(record(1))
    await b.publish(record(2))
    for each in (a, b):
        assert await each.members(RUN) == {a.me: record(1), b.me: record(2)}
        assert await each.members(digest("another run")) == {}
    await b.withdraw(RUN)
    assert set(await a.members(RUN)) == {a.me}
    await b.publish(record(2, sequence=1))
    assert (await a.members(RUN))[b.me].sequence == 1
    await a.publish_document(RUN, "genesis", b"g" * 100_000)
    assert await b.document(RUN, "genesis", a.me) == b"g" * 100_000
    assert await b.document(RUN, "genesis", b.me) is None
    with pytest.raises(ConfigurationError, match="no slash"):
        await a.publish_document(RUN, "a/b", b"")
    with pytest.raises(ConfigurationError, match="publish its digest"):
        await a.publish_document(RUN, "large", bytes(1 << 20))


async def test_memory_directory() -> None:
    shelf = Shelf()
    await exercise(MemoryDirectory(identity(1), shelf), MemoryDirectory(identity(2), shelf))


async def test_forged_publications_are_refused_by_those_who_store_and_those_who_read(
    pair: tuple[DhtDirectory, DhtDirectory],
) -> None:
    from hivemind.dht.routing import DHTID
    from hivemind.dht.validation import DHTRecord
    from hivemind.utils.serializer import MSGPackSerializer
    from hivemind.utils.timed_storage import get_dht_time

    from btard.network.dht_validator import LIFETIME_MAX_S, PublicationValidator

    bootstrap, mallory = pair
    await bootstrap.publish(record(1))
    until = get_dht_time() + 100
    alice, me = identity(1), identity(2)
    mine = seal_record(me, record(2))
    hers = seal_record(alice, record(1))
    good = seal_publication(me, RUN, "", mine, until)
    key = members_key(RUN)

    def verdict(value: object, until: float = until, key: str = key, subkey: PeerId = me.peer) -> bool:
        dumps: Callable[[object], bytes] = MSGPackSerializer.dumps
        documents = [Document(RUN, "x", me.peer), Document(RUN, "x", alice.peer)]
        validator = PublicationValidator(Scope(RUN, documents), get_dht_time)
        raw_key = DHTID.generate(source=key).to_bytes()
        return validator.validate(DHTRecord(raw_key, dumps(bytes(subkey)), dumps(value), until))

    def lasting(until: float) -> bool:
        return verdict(seal_publication(me, RUN, "", mine, until), until)

    assert verdict(good)
    assert verdict(seal_publication(me, RUN, "", b"", until)), "a record may be taken back"
    forged = {
        "under another's name": verdict(good, subkey=alice.peer),
        "prolonged": verdict(good, until + 1),
        "for ever": lasting(float("inf")),
        "no time": lasting(float("nan")),
        "too long": lasting(until + LIFETIME_MAX_S),
        "elsewhere": verdict(good, key=members_key(digest("x"))),
        "another's record": verdict(seal_publication(me, RUN, "", hers, until)),
        "no record": verdict(seal_publication(me, RUN, "", b"junk", until)),
        "a document as a record": verdict(seal_publication(me, RUN, "x", mine, until)),
        "another's document": verdict(
            seal_publication(me, RUN, "x", b"", until), key=document_key(RUN, "x", alice.peer)
        ),
        "changed": verdict(good[:-1] + bytes([good[-1] ^ 1])),
        "not bytes": verdict(["x"] * 3),
        "huge": verdict(bytes(1 << 20)),
    }
    assert [what for what, accepted in forged.items() if accepted] == []
    # And over the network: past mallory's own validator, at the others'.
    assert mallory._node is not None
    node = mallory._node._kademlia
    node.protocol.record_validator = None
    await node.store(key, good, until + 50, subkey=bytes(alice.peer))
    assert (await bootstrap.members(RUN))[alice.peer] == record(1)
    assert set(await bootstrap.members(RUN)) == {alice.peer}


async def test_a_node_keeps_its_own_run_alone_and_the_publications_of_those_whom_it_knows() -> None:
    from hivemind.dht.routing import DHTID
    from hivemind.utils.timed_storage import get_dht_time

    from btard.network.dht_scope import STRANGERS_MAX
    from btard.network.dht_storage import BoundedStorage

    began = get_dht_time()
    now, soon, late = [began], began + 100.0, began + 1000.0
    known = [identity(n).peer for n in (1, 2)]
    scope = Scope(RUN, [Document(RUN, "genesis", known[0])], known)
    storage = BoundedStorage(scope, lambda: now[0])
    members, genesis = (DHTID.generate(source=key) for key in scope.keys)
    elsewhere = DHTID.generate(source=members_key(digest("another run")))
    assert not storage.store(elsewhere, b"", soon, subkey=known[0])
    assert storage.store(genesis, b"roster", soon, subkey=bytes(known[0]))
    for peer in known:
        assert storage.store(members, b"here", soon, subkey=bytes(peer))
    strangers = [bytes([n]) * 32 for n in range(10, 10 + 3 * STRANGERS_MAX)]
    assert all(storage.store(members, b"x", late, subkey=each) for each in strangers)
    assert not storage.store(members, b"x", late, subkey=strangers[-1]), "to repeat it changes nothing"
    kept = storage.get(members)
    assert kept is not None
    assert set(kept.value.data) == {*known, *strangers[-STRANGERS_MAX:]}
    assert len(storage) == 3 + STRANGERS_MAX
    now[0] = began + 101.0
    assert storage.get(genesis) is None
    assert len(storage) == STRANGERS_MAX


async def test_a_flood_of_publications_gets_a_bounded_number_of_signatures_checked() -> None:
    from hivemind.dht.routing import DHTID
    from hivemind.dht.validation import DHTRecord
    from hivemind.utils.serializer import MSGPackSerializer

    from btard.network.dht_validator import CHECKS_BURST, CHECKS_PER_S, PublicationValidator

    now = [0.0]
    validator = PublicationValidator(Scope(RUN), lambda: now[0])
    key = DHTID.generate(source=members_key(RUN)).to_bytes()
    dumps: Callable[[object], bytes] = MSGPackSerializer.dumps
    me = identity(1)

    def accepted(until: float) -> bool:
        value = seal_publication(me, RUN, "", seal_record(me, record(1)), until)
        return validator.validate(DHTRecord(key, dumps(bytes(me.peer)), dumps(value), until))

    verdicts = [accepted(1.0 + n / 1000) for n in range(int(CHECKS_BURST) + 5)]
    assert verdicts == [True] * int(CHECKS_BURST) + [False] * 5
    assert accepted(1.0), "one that was checked before costs nothing"
    now[0] = 2 / CHECKS_PER_S
    assert [accepted(2.0 + n) for n in range(3)] == [True, True, False]


async def test_daemon_that_dies_is_replaced_and_the_record_of_a_peer_that_dies_lives_on(
    pair: tuple[DhtDirectory, DhtDirectory],
) -> None:
    bootstrap, other = pair
    await other.publish(record(2))
    node = other._node
    assert node is not None
    addresses = other.addresses
    os.kill(node.daemon.process.pid, signal.SIGKILL)
    await node.daemon.exited.wait()
    await eventually(lambda: other._node not in (None, node))
    assert other.addresses == addresses
    await bootstrap.publish(record(1))
    assert set(await other.members(RUN)) == {bootstrap.me, other.me}
    await other._stop()  # no word to anybody
    assert set(await bootstrap.members(RUN)) == {bootstrap.me, other.me}


async def test_unreachable_or_malformed_bootstrap_says_what_to_check() -> None:
    nobody = f"/ip4/127.0.0.1/tcp/9/p2p/{libp2p_id_text(identity(1).peer)}"
    with pytest.raises(NetworkError, match=r"no bootstrap answers at .*check that it runs"):
        await join(3, nobody)
    with pytest.raises(NetworkError, match="not the address of a node"):
        await join(3, "127.0.0.1:7070")


async def test_one_of_several_bootstraps_is_enough_and_it_may_come_later() -> None:
    nobody = f"/ip4/127.0.0.1/tcp/9/p2p/{libp2p_id_text(identity(9).peer)}"
    port = free_port()
    late = f"/ip4/127.0.0.1/tcp/{port}/p2p/{libp2p_id_text(identity(1).peer)}"
    joining = asyncio.ensure_future(join(2, nobody, late, wait_s=DEADLINE_S))
    await asyncio.sleep(0)
    bootstrap = await join(1, port=port)
    other = await joining
    assert [peer_of(each) for each in bootstrap.addresses] == [bootstrap.me]
    await exercise(bootstrap, other)
    await other.close()
    await bootstrap.close()


async def test_addresses_to_hand_out_are_the_announced_ones_and_others_can_join_by_them() -> None:
    port = free_port()
    announce = (f"localhost:{port}", f"127.0.0.1:{port}", f"/dns4/localhost/tcp/{port}")
    bootstrap = await join(1, host="0.0.0.0", port=port, announce=announce)
    whole = f"tcp/{port}/p2p/{libp2p_id_text(bootstrap.me)}"
    assert bootstrap.addresses == (
        f"/dns/localhost/{whole}",
        f"/dns4/localhost/{whole}",
        f"/ip4/127.0.0.1/{whole}",
    )
    other = await join(2, bootstrap.addresses[0])
    await other.close()
    await bootstrap.close()


async def test_port_that_is_taken_even_by_another_libp2p_says_so(
    pair: tuple[DhtDirectory, DhtDirectory],
) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    libp2p_port = int(pair[0].addresses[0].split("/")[4])
    for host in ("127.0.0.1", "0.0.0.0"):
        for port in (libp2p_port, taken.sockets[0].getsockname()[1]):
            with pytest.raises(NetworkError, match=r"already in use.*choose another address or port"):
                await join(3, host=host, port=port)
    taken.close()
    await taken.wait_closed()


async def test_clock_that_differs_is_named(
    pair: tuple[DhtDirectory, DhtDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hivemind.utils.timed_storage import get_dht_time

    for ahead_s, side in ((600.0, "behind"), (-600.0, "ahead of")):
        monkeypatch.setattr("hivemind.dht.protocol.get_dht_time", lambda by=ahead_s: get_dht_time() + by)
        with pytest.raises(NetworkError, match=f"clock is about 600 s {side} the bootstrap's: set it"):
            await join(3, *pair[0].addresses)


async def test_daemon_does_not_outlive_a_peer_that_is_killed() -> None:
    """On Linux, that is: elsewhere the daemon ends with an orderly stop only."""
    script = (
        "import asyncio\n"
        "from btard.network import DhtDirectory\n"
        "from btard.network.dht_scope import Scope\n"
        "from tests.network.rigs import RUN, identity\n"
        "async def main():\n"
        "    node = await DhtDirectory.create(identity(5), Scope(RUN), host='127.0.0.1', nat=False)\n"
        "    print(node._node.daemon.process.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    # The killed peer cannot tidy up, and pytest's own paths may be too long for a socket.
    with tempfile.TemporaryDirectory() as path:
        peer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": path},
        )
        assert peer.stdout is not None
        try:
            pid = int(await asyncio.wait_for(peer.stdout.readline(), DEADLINE_S))
        finally:
            peer.kill()
            await peer.wait()
        if sys.platform == "linux":
            await eventually(lambda: not runs(pid))
        else:
            os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody reaps does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
