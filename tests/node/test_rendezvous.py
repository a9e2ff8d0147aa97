"""How a run begins: the bootstrap's documents, and what a newcomer makes of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from btard.crypto import Identity
from btard.errors import BtardError, ConfigurationError, HaltedError, NetworkError, RunMismatchError
from btard.ledger.header import LedgerHeader
from btard.network import PeerRecord
from btard.node.rendezvous import GENESIS, RUN, find_genesis, find_run, form_roster, publish_run, shelf_of
from btard.types import PeerId
from tests.network.rigs import MemoryDirectory, Shelf
from tests.node.nodes import a_plan, a_run, virtually

CONFIG = a_run(peers=3)
BOOTSTRAP, *KEYS = (Identity.from_seed(bytes([k]) * 32) for k in range(1, 7))
MEMBERS = tuple(sorted(key.peer for key in KEYS[:3]))


class Meeting:
    """A bootstrap and some peers around one shelf."""

    def __init__(self) -> None:
        shelf = Shelf()
        self.bootstrap = MemoryDirectory(BOOTSTRAP, shelf)
        self.peers = [MemoryDirectory(key, shelf) for key in KEYS]
        self.counted: list[int] = []

    async def join(self, *indices: int) -> None:
        for index in indices:
            await self.peers[index].publish(PeerRecord(CONFIG.digest, KEYS[index].peer, 1, (), b""))

    async def begin(self) -> None:
        """Let the first three peers begin."""
        await publish_run(self.bootstrap, CONFIG)
        await self.join(0, 1, 2)
        assert await self.form() == MEMBERS

    async def form(self) -> tuple[PeerId, ...]:
        return await form_roster(self.bootstrap, BOOTSTRAP, CONFIG, self.counted.append)

    async def say(self, name: str, document: bytes) -> None:
        """Publish something as the bootstrap."""
        shelf = shelf_of(BOOTSTRAP.peer) if name == RUN else CONFIG.digest
        await self.bootstrap.publish_document(shelf, name, document)

    async def genesis(self, index: int = 0, timeout_s: float = 5.0) -> Any:
        return await find_genesis(self.peers[index], BOOTSTRAP.peer, CONFIG, timeout_s)

    async def run(self, index: int = 0, expected: Any = None) -> Any:
        return await find_run(self.peers[index], BOOTSTRAP.peer, expected, 5.0)


@pytest.fixture
def meeting() -> Meeting:
    return Meeting()


@virtually
async def test_a_newcomer_finds_the_run_and_its_first_roster(meeting: Meeting) -> None:
    await publish_run(meeting.bootstrap, CONFIG)
    assert await meeting.run() == CONFIG
    await meeting.begin()
    assert await meeting.run(1) == CONFIG, "a member may come back before its first step"
    header, records = await meeting.genesis(1)
    assert (header.members, header.bootstrap) == (MEMBERS, BOOTSTRAP.peer)
    assert set(records) == set(MEMBERS)


@virtually
async def test_a_bootstrap_that_is_started_again_begins_another_run_with_another_roster(
    meeting: Meeting,
) -> None:
    await meeting.begin()
    again = a_plan(peers=3).begin(b"\x01" * 32)
    await publish_run(meeting.bootstrap, again)
    assert await meeting.run(3) == again, (
        "the roster of the earlier run, which is still there, is not its own"
    )
    for index in (3, 4, 0):
        await meeting.peers[index].publish(PeerRecord(again.digest, KEYS[index].peer, 2, (), b""))
    members = await form_roster(meeting.bootstrap, BOOTSTRAP, again)
    header, _ = await find_genesis(meeting.peers[3], BOOTSTRAP.peer, again, 5.0)
    assert header.members == members != MEMBERS
    earlier, _ = await meeting.genesis(1)
    assert earlier.members == MEMBERS
    assert earlier.open()[0].digest != header.open()[0].digest


@virtually
async def test_the_bootstrap_waits_for_the_last_peer_and_tells_how_many_there_are(meeting: Meeting) -> None:
    await meeting.join(0)
    forming = asyncio.ensure_future(meeting.form())
    waiting = asyncio.ensure_future(meeting.genesis(2, timeout_s=60.0))
    await asyncio.sleep(0)
    await meeting.join(1, 2)
    await asyncio.gather(forming, waiting)
    assert meeting.counted == [1, 3]


@virtually
async def test_of_more_peers_than_there_are_seats_those_seen_first_get_them(meeting: Meeting) -> None:
    await meeting.join(3, 4)
    forming = asyncio.ensure_future(meeting.form())
    for _ in range(4):
        await asyncio.sleep(0)
    await meeting.join(0, 1)
    roster = await forming
    assert {KEYS[3].peer, KEYS[4].peer} < set(roster)
    assert len(roster) == 3


@virtually
async def test_the_seat_of_a_peer_that_leaves_before_the_start_goes_to_another(meeting: Meeting) -> None:
    await meeting.join(0, 1)
    forming = asyncio.ensure_future(meeting.form())
    await asyncio.sleep(0)
    await meeting.peers[0].withdraw(CONFIG.digest)
    await asyncio.wait({forming}, timeout=1.0)
    await meeting.join(2, 3)
    assert {KEYS[each].peer for each in (1, 2, 3)} == set(await forming)
    assert meeting.counted == [2, 1, 3]


@pytest.mark.parametrize(("left", "words"), [(0, "begun without this peer"), (3, "the run is over")])
@virtually
async def test_a_peer_that_comes_too_late_is_told_so_before_it_joins(
    meeting: Meeting, left: int, words: str
) -> None:
    await meeting.begin()
    for peer in meeting.peers[:left]:
        await peer.withdraw(CONFIG.digest)
    with pytest.raises(HaltedError, match=words):
        await meeting.run(3)


@virtually
async def test_a_bootstrap_that_says_nothing_is_reported_with_what_is_waited_for(meeting: Meeting) -> None:
    with pytest.raises(NetworkError, match="announced no run"):
        await meeting.run()
    with pytest.raises(NetworkError, match="waits for 3 peers"):
        await meeting.genesis()


@virtually
async def test_another_run_than_expected_is_refused_with_the_fields_that_differ(meeting: Meeting) -> None:
    await publish_run(meeting.bootstrap, CONFIG)
    with pytest.raises(RunMismatchError, match=r"steps \(99 here, 3 there\)"):
        await meeting.run(expected=a_plan(peers=3, steps=99))


@virtually
async def test_a_member_without_an_address_keeps_nobody_from_beginning_but_most_of_them_do(
    meeting: Meeting,
) -> None:
    await meeting.begin()
    await meeting.peers[2].close()
    header, records = await meeting.genesis()
    assert set(header.members) - set(records) == {KEYS[2].peer}
    await meeting.peers[1].close()
    with pytest.raises(NetworkError, match="2 of 3 peers of the roster have no address"):
        await meeting.genesis()


@pytest.mark.parametrize("name", [RUN, GENESIS])
@pytest.mark.parametrize("document", [b"", b"{}", b"\xff\xfe", b"[" * 1000])
@virtually
async def test_nonsense_under_the_bootstraps_key_is_refused_in_one_sentence(
    meeting: Meeting, document: bytes, name: str
) -> None:
    await meeting.say(name, document)
    with pytest.raises(BtardError, match=r"^[^\n]+$"):
        await (meeting.run() if name == RUN else meeting.genesis())


@pytest.mark.parametrize(
    "header",
    [
        LedgerHeader.of(a_run(peers=3, steps=99), MEMBERS, BOOTSTRAP),
        LedgerHeader.of(CONFIG, MEMBERS, KEYS[4]),
    ],
    ids=["of another run", "signed by somebody else"],
)
@virtually
async def test_a_roster_of_another_run_or_bootstrap_is_not_followed(
    meeting: Meeting, header: LedgerHeader
) -> None:
    await meeting.say(GENESIS, header.to_bytes())
    with pytest.raises(ConfigurationError, match="another run"):
        await meeting.genesis()
