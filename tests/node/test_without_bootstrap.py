"""Newcomers when the bootstrap is gone: members and the directory tell what it has signed, and nothing
else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from btard.errors import ConfigurationError, HaltedError, NetworkError
from btard.ledger.header import LedgerHeader
from btard.network import DhtDirectory, PeerRecord
from btard.network.dht_scope import STRANGERS_MAX
from btard.network.entrance import Introduction, seal_introduction
from btard.network.entrance_call import WrongServerError
from btard.network.record import seal_record
from btard.node.door import Door
from btard.node.rendezvous import Roster, look_up_roster, publish_genesis, publish_run, scope_of
from btard.run.admission import Open
from tests.network.rigs import MemoryDirectory, Shelf
from tests.node.entrances import BOOTSTRAP, Entrance, a_run_of, key, member, record_of
from tests.node.flood import flood

CONFIG = a_run_of(3, Open())
MEMBERS = tuple(sorted(key(number).peer for number in (2, 3, 4)))
HEADER = LedgerHeader.of(CONFIG, MEMBERS, BOOTSTRAP)
SEALED = [seal_record(key(number), record_of(key(number), CONFIG)) for number in (2, 3, 4)]
GONE = "127.0.0.1:1"


def introduction(by: object = BOOTSTRAP, run: object = CONFIG) -> bytes:
    """The bootstrap's word, with an address at which nobody answers any more."""
    said = Introduction(by.peer, run.to_bytes(), (GONE,), ())  # type: ignore[attr-defined]
    return seal_introduction(by, said)  # type: ignore[arg-type]


@pytest.fixture
async def there() -> AsyncIterator[Entrance]:
    """What newcomers need of an entrance, which is not open."""
    return Entrance(CONFIG)


def door(*, begun: bool = True, said: bytes | None = None, header: LedgerHeader = HEADER) -> Door:
    made = Door(said or introduction())
    if begun:
        made.begin(header, SEALED)
    return made


async def test_a_member_tells_the_run_and_the_roster_to_a_peer_that_has_a_seat(there: Entrance) -> None:
    async with member(2, CONFIG, door()) as line:
        header, records = await there.join(3, line=line)
    assert header == HEADER
    assert set(records) == set(MEMBERS)


async def test_a_member_tells_whoever_has_no_seat_that_the_run_has_begun(there: Entrance) -> None:
    async with member(2, CONFIG, door()) as line:
        with pytest.raises(HaltedError, match="begun without this peer"):
            await there.join(9, line=line)


async def test_a_member_of_a_run_that_forms_can_tell_the_run_and_gives_no_seat(there: Entrance) -> None:
    async with member(2, CONFIG, door(begun=False)) as line:
        arrival = await there.newcomer(3, line=line, wait_s=0)
        assert await arrival.find_run(None) == CONFIG
        with pytest.raises(NetworkError, match=f"nobody answers at {GONE}"):
            await there.join(3, line=line, wait_s=0)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (introduction(by=key(2)), "tells no run that the bootstrap has signed"),
        (introduction()[:-1] + b"\x00", "tells no run that the bootstrap has signed"),
        (b"", "nobody answers"),
    ],
    ids=["signed by the member", "changed", "nothing"],
)
async def test_a_member_cannot_tell_a_run_that_the_bootstrap_has_not_signed(
    there: Entrance, said: bytes, words: str
) -> None:
    made = Door(said or None)
    async with member(2, CONFIG, made) as line:
        with pytest.raises(NetworkError, match=words):
            await there.join(3, line=line, wait_s=0)
    assert issubclass(WrongServerError, NetworkError)


async def test_a_member_cannot_tell_a_roster_that_the_bootstrap_has_not_signed(there: Entrance) -> None:
    async with member(2, CONFIG, door(header=LedgerHeader.of(CONFIG, MEMBERS, key(2)))) as line:
        with pytest.raises(ConfigurationError, match="another run, or not its bootstrap's"):
            await there.join(3, line=line, wait_s=0)


async def test_whoever_waits_when_the_bootstrap_dies_finds_the_roster_in_the_directory(
    there: Entrance,
) -> None:
    shelf = Shelf()
    of = {n: MemoryDirectory(key(n), shelf) for n in (2, 3, 4)}
    bootstrap = MemoryDirectory(BOOTSTRAP, shelf)
    await there.open()
    arrival = await there.newcomer(3)
    await arrival.find_run(None)
    waiting = asyncio.ensure_future(
        arrival.take_seat(
            CONFIG,
            record_of(key(3), CONFIG),
            None,
            lambda: there.seated.add(key(3).peer),
            lambda: of[3],
        )
    )
    await there.until_seated(3)
    for number, directory in of.items():
        await directory.publish(record_of(key(number), CONFIG))
    await publish_genesis(bootstrap, HEADER)
    await there.close()
    header, records = await waiting
    assert (header, set(records)) == (HEADER, set(MEMBERS))


async def test_a_member_found_in_the_directory_tells_the_roster_if_the_bootstrap_did_not_publish_it(
    there: Entrance,
) -> None:
    shelf = Shelf()
    async with member(2, CONFIG, door()) as line:
        port = int(line.address.rpartition(":")[2])
        mine = MemoryDirectory(key(3), shelf)
        await MemoryDirectory(key(2), shelf).publish(record_of(key(2), CONFIG, port))
        liar = PeerRecord(CONFIG.digest, key(5).peer, 1, (GONE,), record_of(key(5), CONFIG).certificate)
        await MemoryDirectory(key(5), shelf).publish(liar)
        async with member(4, CONFIG, door(begun=False)) as lost:
            header, records = await there.join(3, line=lost, directory=mine)
    assert (header, set(records)) == (HEADER, set(MEMBERS))


async def test_a_roster_in_the_directory_counts_with_addresses_of_most_of_its_members() -> None:
    async def look(*listed: int, header: LedgerHeader = HEADER, me: int = 2) -> Roster | None:
        shelf = Shelf()
        for number in listed:
            await MemoryDirectory(key(number), shelf).publish(record_of(key(number), CONFIG))
        await MemoryDirectory(BOOTSTRAP, shelf).publish_document(CONFIG.digest, "genesis", header.to_bytes())
        return await look_up_roster(MemoryDirectory(key(me), shelf), BOOTSTRAP.peer, CONFIG)

    assert await look(2) is None
    found = await look(2, 3)
    assert found is not None
    assert set(found[1]) == {key(2).peer, key(3).peer}
    with pytest.raises(HaltedError, match="begun without this peer"):
        await look(2, 3, me=9)
    with pytest.raises(ConfigurationError, match="another run, or not its bootstrap's"):
        await look(2, 3, header=LedgerHeader.of(a_run_of(3, Open(per_address=2)), MEMBERS, BOOTSTRAP))
    with pytest.raises(ConfigurationError, match=r"^the run's first roster cannot be read[^\n]*$"):
        await look(2, 3, header=replace(HEADER, signature=bytes(64)))


async def test_a_flooded_directory_keeps_the_run_and_its_members() -> None:
    """Attack A7: keys of junk runs, and records of invented peers, from past the attacker's own validator."""
    scope = scope_of(CONFIG, BOOTSTRAP.peer)
    home = await DhtDirectory.create(BOOTSTRAP, scope, host="127.0.0.1", nat=False)
    first = home.addresses[0]
    others = [
        await DhtDirectory.create(
            key(n), scope_of(CONFIG, BOOTSTRAP.peer), initial_peers=[first], host="127.0.0.1", nat=False
        )
        for n in (2, 3)
    ]
    honest, mallory = others
    try:
        await publish_run(home, introduction())
        await publish_genesis(home, HEADER)
        await honest.publish(record_of(key(2), CONFIG))
        home.know(MEMBERS)
        assert home._node is not None
        await flood(mallory, CONFIG)
        storage = home._node._kademlia.protocol.storage
        assert 3 < len(storage) <= 3 + STRANGERS_MAX
        assert await honest.document(CONFIG.digest, "genesis", BOOTSTRAP.peer) == HEADER.to_bytes()
        assert key(2).peer in await home.members(CONFIG.digest)
        late = record_of(key(2), CONFIG, sequence=2)
        await honest.publish(late)
        assert (await home.members(CONFIG.digest))[key(2).peer] == late
    finally:
        for each in (*others, home):
            await each.close()
