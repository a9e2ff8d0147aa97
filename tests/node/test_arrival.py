"""Newcomers at a bootstrap's entrance, over the real network: seats, refusals, the roster."""

from __future__ import annotations

import asyncio
import os

import pytest

from btard.errors import HaltedError, NetworkError, RunMismatchError
from btard.network import Limits
from btard.network.entrance import Answer, Knock
from btard.network.entrance_call import EntranceCall, Place, WrongServerError, call_entrance
from btard.network.join import JoinLine
from btard.network.record import seal_record
from btard.node import gathering
from btard.node.arrival import _Patience
from btard.run.admission import Invite, Open, allowing
from btard.run.invitation import Invitation
from tests.network.rigs import eventually
from tests.node.entrances import (
    BOOTSTRAP,
    PATIENT,
    Entrance,
    a_run_of,
    entrance,
    key,
    record_of,
    refusal,
)
from tests.node.nodes import a_plan

ANYBODY = a_run_of(3, Open(per_address=64))


def token(number: int, until: int = 1000) -> str:
    run = a_run_of(2, Invite()).digest
    return Invitation.issue(BOOTSTRAP, run, bytes([number]) * 16, until).text


async def test_those_who_come_get_seats_and_then_the_roster_with_all_addresses() -> None:
    async with entrance(ANYBODY) as there:
        rosters = await asyncio.gather(*there.joining(2, 3, 4))
        peers = sorted(key(number).peer for number in (2, 3, 4))
        for header, records in rosters:
            assert header == rosters[0][0]
            assert (list(header.members), header.bootstrap) == (peers, BOOTSTRAP.peer)
            assert records == {key(n).peer: record_of(key(n), ANYBODY) for n in (2, 3, 4)}
        assert there.counted[-1] == 3


async def test_a_newcomer_that_is_too_late_is_told_so_and_a_member_that_comes_again_gets_the_roster() -> None:
    async with entrance(ANYBODY) as there:
        await asyncio.gather(*there.joining(2, 3, 4))
        with pytest.raises(HaltedError, match="begun without this peer"):
            await there.join(5)
        moved = record_of(key(3), ANYBODY, port=9090, sequence=2)
        header, records = await there.join(3, record=moved)
        assert key(3).peer in header.members
        assert records[key(3).peer] == moved


async def test_the_seat_of_a_peer_that_leaves_before_the_start_goes_to_another() -> None:
    async with entrance(ANYBODY) as there:
        leaving, staying = there.joining(2, 3)
        await there.until_seated(2, 3)
        leaving.cancel()
        await eventually(lambda: there.counted[-1:] == [1])
        others = there.joining(4, 5)
        header, _ = await staying
        await asyncio.gather(*others)
        assert set(header.members) == {key(number).peer for number in (3, 4, 5)}


async def test_a_peer_that_comes_again_before_its_old_stream_has_ended_has_one_seat() -> None:
    async with entrance(ANYBODY) as there:
        first = there.joining(2)[0]
        await there.until_seated(2)
        again = there.joining(2)[0]
        rest = there.joining(3, 4)
        header, _ = await again
        await asyncio.gather(*rest)
        assert len(set(header.members)) == 3
        first.cancel()


async def test_a_peer_that_does_not_answer_any_more_is_shown_out_before_the_roster_is_fixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "READY_S", 2.0)
    async with entrance(ANYBODY) as there:
        sleeper, place = key(9), Place(f"127.0.0.1:{there.port}", BOOTSTRAP.peer)
        async with call_entrance(place, sleeper, PATIENT, os.urandom) as call:
            record = seal_record(sleeper, record_of(sleeper, ANYBODY))
            await call.knock(Knock(sleeper.peer, ANYBODY.digest, record))
            assert (await call.prompt_answer()).word == "seated"
            joining = there.joining(2, 3, 4)
            assert (await call.prompt_answer()).word == "ready"
            header, _ = (await asyncio.gather(*joining))[0]
        assert set(header.members) == {key(number).peer for number in (2, 3, 4)}


async def test_one_machine_with_invented_identities_takes_no_more_seats_of_an_open_run_than_its_own() -> None:
    """Attack A7, members: it took all seats of a forming run."""
    config = a_run_of(5, Open(per_address=2))
    async with entrance(config) as there:
        line = await there.line("127.0.0.2")
        invented = [asyncio.ensure_future(there.join(number, line=line)) for number in range(100, 125)]
        await eventually(lambda: there.counted[-1:] == [2])
        await eventually(lambda: len(there.noted) == len(invented) - 2)
        assert {each.split(":")[0] for each in there.noted} == {
            "this address has as many seats as one address gets in this run"
        }
        honest = [*there.joining(2, 3), *there.joining(4, source="127.0.0.3")]
        header, _ = await honest[0]
        await asyncio.gather(*honest)
        assert {key(number).peer for number in (2, 3, 4)} < set(header.members)
        for each in invented:
            each.cancel()
        await asyncio.gather(*invented, return_exceptions=True)


async def test_of_a_list_nobody_else_gets_a_seat_whatever_it_invents() -> None:
    config = a_run_of(2, allowing((key(2).peer, key(3).peer)))
    async with entrance(config) as there:
        invented = there.joining(*range(100, 108))
        sentences = [await refusal(each) for each in invented]
        for number, sentence in zip(range(100, 108), sentences, strict=True):
            assert f"key {key(number).peer.hex()} is not on the run's list" in sentence
        header, _ = (await asyncio.gather(*there.joining(2, 3)))[0]
        assert set(header.members) == {key(2).peer, key(3).peer}


async def test_an_invitation_is_worth_one_seat_for_one_key() -> None:
    async with entrance(a_run_of(2, Invite())) as there:
        first = asyncio.ensure_future(there.join(2, invitation=token(1)))
        await there.until_seated(2)
        for invitation, words in (
            (None, "invited peers only: give your invitation with --invite"),
            (token(1), "another key's already"),
            (token(3, until=999), "expired"),
            ("junk", "not of this run"),
        ):
            with pytest.raises(HaltedError, match=words):
                await there.join(5, invitation=invitation)
        await there.join(3, invitation=token(2))
        header, _ = await first
        assert set(header.members) == {key(2).peer, key(3).peer}


async def test_a_knock_that_was_heard_on_another_stream_takes_no_seat() -> None:
    async with entrance(ANYBODY) as there:
        place, victim = Place(f"127.0.0.1:{there.port}", BOOTSTRAP.peer), key(2)
        knock = Knock(victim.peer, ANYBODY.digest, seal_record(victim, record_of(victim, ANYBODY)))
        async with call_entrance(place, victim, PATIENT, os.urandom) as call:
            heard = call._meeting.seal(victim, knock)
        async with call_entrance(place, key(3), PATIENT, os.urandom) as call:
            await call._write(heard)
            with pytest.raises(NetworkError, match="nobody answers"):
                await call.prompt_answer()
        assert there.gathering.faults == 1
        assert there.gathering._seats.taken == ()


async def test_a_record_of_somebody_else_is_no_record() -> None:
    async with entrance(ANYBODY) as there:
        with pytest.raises(RunMismatchError, match="cannot read this peer's addresses"):
            await knock_with(there, seal_record(key(3), record_of(key(3), ANYBODY)))
        other = a_run_of(4, Open())
        with pytest.raises(RunMismatchError, match="another run meanwhile"):
            await knock_with(there, seal_record(key(2), record_of(key(2), other)), other.digest)


async def knock_with(there: Entrance, record: bytes, run: bytes = ANYBODY.digest) -> None:
    """Ask for a seat with any record, and take the answer as a newcomer does."""
    arrival = await there.newcomer(2)
    await arrival.find_run(None)
    await arrival._hold_seat(Knock(key(2).peer, run, record), lambda: None, _Patience(1.0))


async def babble(call: EntranceCall) -> Answer:
    """Send far more than a stranger may, and wait for an answer."""
    for _ in range(100):
        await call._write(bytes(4096))
    return await call.prompt_answer()


async def test_a_stranger_that_sends_too_much_before_it_has_proved_its_key_is_shown_out() -> None:
    async with entrance(ANYBODY) as there:
        place = Place(f"127.0.0.1:{there.port}", BOOTSTRAP.peer)
        async with call_entrance(place, key(2), PATIENT, os.urandom) as call:
            with pytest.raises(NetworkError, match="nobody answers"):
                await babble(call)
        await eventually(lambda: there.gathering.faults == 1)


async def test_a_guest_that_says_more_than_it_is_asked_loses_its_seat() -> None:
    async with entrance(ANYBODY) as there:
        me, place = key(2), Place(f"127.0.0.1:{there.port}", BOOTSTRAP.peer)
        async with call_entrance(place, me, PATIENT, os.urandom) as call:
            record = seal_record(me, record_of(me, ANYBODY))
            await call.knock(Knock(me.peer, ANYBODY.digest, record))
            assert await call.prompt_answer() == Answer("seated")
            await call.ready()
            with pytest.raises(NetworkError, match="nobody answers"):
                await call.prompt_answer()
        assert there.gathering._seats.taken == ()
        assert there.gathering.faults == 1


async def test_a_server_without_the_key_of_the_line_is_not_believed() -> None:
    async with entrance(ANYBODY) as there:
        line = JoinLine(f"127.0.0.1:{there.port}", key(7).peer, key(7).peer)
        with pytest.raises(WrongServerError, match="ask for the current line"):
            await there.join(2, line=line)


async def test_whatever_listens_without_being_an_entrance_is_reported_with_what_to_check() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-nothing of yours\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for address in (f"127.0.0.1:{port}", "127.0.0.1:1", "no-such-host.invalid:1"):
        place = Place(address, BOOTSTRAP.peer)
        with pytest.raises(NetworkError, match=r"nobody answers at .* check that the bootstrap runs"):
            async with call_entrance(place, key(2), Limits(connect_timeout_s=20.0), os.urandom):
                pass
    server.close()


async def test_a_run_that_does_not_begin_and_one_without_a_free_seat_are_reported_after_the_wait() -> None:
    async with entrance(a_run_of(2, Open(per_address=1))) as there:
        waiting = there.joining(2)[0]
        await there.until_seated(2)
        with pytest.raises(NetworkError, match="as many seats as one address gets in this run, and none"):
            await there.join(3, wait_s=0)
        waiting.cancel()
        await eventually(lambda: not there.gathering._seats.taken)
        with pytest.raises(NetworkError, match="has not begun within 0 s: it waits for 2 peers"):
            await there.join(2, wait_s=0)


async def test_another_plan_than_expected_is_refused_with_the_fields_that_differ() -> None:
    async with entrance(ANYBODY) as there:
        arrival = await there.newcomer(2)
        with pytest.raises(RunMismatchError, match=r"steps \(99 here, 3 there\)"):
            await arrival.find_run(a_plan(peers=3, steps=99))
