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
    return await DhtDirectory.create(identity(number), initial_peers=bootstraps, **defaults | options)


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
        assert await each.members(RUN) == await each.present(RUN) == {a.me: record(1), b.me: record(2)}
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
        validator = PublicationValidator(get_dht_time)
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


async def test_node_keeps_a_bounded_number_of_publishers(monkeypatch: pytest.MonkeyPatch) -> None:
    from btard.network import dht_validator

    monkeypatch.setattr(dht_validator, "PUBLISHERS_MAX", 2)
    now = [0.0]
    validator = dht_validator.PublicationValidator(lambda: now[0])
    assert [validator._room(b"key", bytes([n]), 10.0) for n in (1, 2, 3, 1)] == [True, True, False, True]
    now[0] = 11.0
    assert validator._room(b"key", b"\x03", 20.0)


async def test_daemon_that_dies_is_replaced_and_a_peer_that_dies_is_not_present_though_its_record_lives_on(
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
    assert set(await bootstrap.present(RUN)) == {bootstrap.me}


async def test_unreachable_or_malformed_bootstrap_says_what_to_check() -> None:
    nobody = f"/ip4/127.0.0.1/tcp/9/p2p/{libp2p_id_text(identity(1).peer)}"
    with pytest.raises(NetworkError, match=r"no bootstrap answers at .*check that it runs"):
        await join(3, nobody)
    with pytest.raises(NetworkError, match="paste the whole line"):
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
        "from tests.network.rigs import identity\n"
        "async def main():\n"
        "    node = await DhtDirectory.create(identity(5), host='127.0.0.1', nat=False)\n"
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
