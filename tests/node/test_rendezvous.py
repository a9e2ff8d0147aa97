"""How a run begins: the bootstrap's documents, and what a newcomer makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from btard.crypto import Identity
from btard.errors import BtardError, ConfigurationError, HaltedError, NetworkError, RunMismatchError
from btard.ledger.header import LedgerHeader
from btard.network import PeerRecord
from btard.node.rendezvous import GENESIS, RUN, find_genesis, find_run, form_roster, publish_run, shelf_of
from btard.swarm.virtual_time import run_virtually
from btard.types import PeerId
from tests.network.rigs import MemoryDirectory, Shelf
from tests.node.nodes import a_run

CONFIG = a_run(peers=3)
BOOTSTRAP, *KEYS = (Identity.from_seed(bytes([k]) * 32) for k in range(1, 7))


class Meeting:
    """A bootstrap and some peers around one shelf."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.bootstrap = MemoryDirectory(BOOTSTRAP, self.shelf)
        self.peers = [MemoryDirectory(key, self.shelf) for key in KEYS]

    async def join(self, *indices: int) -> None:
        for index in indices:
            await self.peers[index].publish(PeerRecord(CONFIG.digest, KEYS[index].peer, 1, (), b""))

    async def form(self) -> tuple[PeerId, ...]:
        return await form_roster(self.bootstrap, BOOTSTRAP, CONFIG)

    async def genesis(self, index: int, timeout_s: float = 5.0) -> Any:
        return await find_genesis(self.peers[index], BOOTSTRAP.peer, CONFIG, timeout_s)

    async def run(self, index: int = 0, expected: Any = None) -> Any:
        return await find_run(self.peers[index], BOOTSTRAP.peer, expected, 5.0)


def raises(error: type[BtardError], match: str, main: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(error, match=match):
        run_virtually(main)


def test_a_newcomer_finds_the_run_and_its_first_roster() -> None:
    async def main() -> None:
        meeting = Meeting()
        await publish_run(meeting.bootstrap, CONFIG)
        assert await meeting.run() == CONFIG
        await meeting.join(0, 1, 2)
        roster = await meeting.form()
        header, records = await meeting.genesis(1)
        assert header.members == roster == tuple(sorted(key.peer for key in KEYS[:3]))
        assert set(records) == set(roster)
        assert header.bootstrap == BOOTSTRAP.peer

    run_virtually(main())


def test_the_bootstrap_waits_for_the_last_peer_and_tells_how_many_there_are() -> None:
    async def main() -> None:
        meeting = Meeting()
        counted: list[int] = []
        await meeting.join(0)
        forming = asyncio.ensure_future(form_roster(meeting.bootstrap, BOOTSTRAP, CONFIG, counted.append))
        waiting = asyncio.ensure_future(meeting.genesis(2, timeout_s=60.0))
        await asyncio.sleep(0)
        await meeting.join(1, 2)
        await forming
        await waiting
        assert counted == [1, 3]

    run_virtually(main())


def test_of_more_peers_than_there_are_seats_those_seen_first_get_them() -> None:
    async def main() -> None:
        meeting = Meeting()
        await meeting.join(3, 4)
        forming = asyncio.ensure_future(meeting.form())
        for _ in range(4):
            await asyncio.sleep(0)
        await meeting.join(0, 1)
        roster = await forming
        assert {KEYS[3].peer, KEYS[4].peer} < set(roster)
        assert len(roster) == 3

    run_virtually(main())


def test_the_seat_of_a_peer_that_leaves_before_the_start_goes_to_another() -> None:
    async def main() -> None:
        meeting = Meeting()
        counted: list[int] = []
        await meeting.join(0, 1)
        forming = asyncio.ensure_future(form_roster(meeting.bootstrap, BOOTSTRAP, CONFIG, counted.append))
        await asyncio.sleep(0)
        await meeting.peers[0].withdraw(CONFIG.digest)
        waiting = asyncio.ensure_future(meeting.genesis(2))
        await asyncio.wait({waiting}, timeout=1.0)
        await meeting.join(2, 3)
        assert {KEYS[each].peer for each in (1, 2, 3)} == set(await forming)
        await waiting
        assert counted == [2, 1, 3]

    run_virtually(main())


def test_a_peer_that_comes_after_the_start_is_told_so_before_it_joins() -> None:
    async def main() -> None:
        meeting = Meeting()
        await publish_run(meeting.bootstrap, CONFIG)
        await meeting.join(0, 1, 2)
        await meeting.form()
        assert await meeting.run(1) == CONFIG, "a member may come back before its first step"
        await meeting.run(3)

    raises(HaltedError, "begun without this peer", main())


def test_a_peer_that_comes_after_the_end_is_told_that_the_run_is_over() -> None:
    async def main() -> None:
        meeting = Meeting()
        await publish_run(meeting.bootstrap, CONFIG)
        await meeting.join(0, 1, 2)
        await meeting.form()
        for peer in meeting.peers[:3]:
            await peer.withdraw(CONFIG.digest)
        await meeting.run(3)

    raises(HaltedError, "the run is over", main())


def test_a_bootstrap_that_announced_nothing_is_reported() -> None:
    raises(NetworkError, "announced no run", Meeting().run())


def test_a_run_that_never_begins_is_reported_with_what_it_waits_for() -> None:
    raises(NetworkError, "waits for 3 peers", Meeting().genesis(0))


def test_another_run_than_expected_is_refused_with_the_fields_that_differ() -> None:
    async def main() -> None:
        meeting = Meeting()
        await publish_run(meeting.bootstrap, CONFIG)
        await meeting.run(expected=a_run(peers=3, steps=99))

    raises(RunMismatchError, r"steps \(99 here, 3 there\)", main())


def test_a_member_that_withdrew_its_address_keeps_nobody_from_beginning() -> None:
    async def main() -> None:
        meeting = Meeting()
        await meeting.join(0, 1, 2)
        await meeting.form()
        await meeting.peers[2].close()
        header, records = await meeting.genesis(0)
        assert set(header.members) - set(records) == {KEYS[2].peer}

    run_virtually(main())


def test_a_roster_most_of_which_has_no_address_is_reported() -> None:
    async def main() -> None:
        meeting = Meeting()
        await meeting.join(0, 1, 2)
        await meeting.form()
        for peer in meeting.peers[1:3]:
            await peer.close()
        await meeting.genesis(0)

    raises(NetworkError, "2 of 3 peers of the roster have no address", main())


@pytest.mark.parametrize("document", [b"", b"{}", b"\xff\xfe", b"[" * 1000])
def test_nonsense_under_the_bootstraps_key_is_refused_in_one_sentence(document: bytes) -> None:
    async def main(name: str) -> None:
        meeting = Meeting()
        await meeting.bootstrap.publish_document(shelf_of(BOOTSTRAP.peer), name, document)
        await (meeting.run() if name == RUN else meeting.genesis(0))

    for name in (RUN, GENESIS):
        raises(BtardError, "^[^\\n]+$", main(name))


def test_a_bootstrap_that_begins_another_run_than_it_announced_is_not_followed() -> None:
    async def main() -> None:
        meeting = Meeting()
        members = tuple(sorted(key.peer for key in KEYS[:3]))
        other = LedgerHeader.of(a_run(peers=3, steps=99), members, BOOTSTRAP)
        await meeting.bootstrap.publish_document(shelf_of(BOOTSTRAP.peer), GENESIS, other.to_bytes())
        await meeting.genesis(0)

    raises(ConfigurationError, "another run", main())


def test_a_roster_that_somebody_else_signed_is_not_followed() -> None:
    async def main() -> None:
        meeting = Meeting()
        members = tuple(sorted(key.peer for key in KEYS[:3]))
        forged = LedgerHeader.of(CONFIG, members, KEYS[4])
        await meeting.bootstrap.publish_document(shelf_of(BOOTSTRAP.peer), GENESIS, forged.to_bytes())
        await meeting.genesis(0)

    raises(ConfigurationError, "another run", main())
