"""What is read of one sender in an attempt: enough for every honest one, no more signatures than slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from btard.crypto import Identity, digest
from btard.machine import Actions, Event, Received
from btard.protocol import peer as peer_module
from btard.protocol.admission import FALSE_MAX, NOISE_MAX, REQUESTS_MAX, Admission, Use, kind_of
from btard.protocol.agreed import Seating
from btard.protocol.messages import CALL, ENDORSE, GRADIENT, PHASES, RECORD, Call, Need, ViewRelay, Want
from btard.protocol.peer import PeerMachine
from btard.types import PeerId
from btard.wire import Envelope, Rejection, Sealed, decode, encode, open_sealed, seal
from tests.rig import Rig

N = 4
SENDER = 2


@pytest.fixture
def rig() -> Rig:
    return Rig(N, 1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bytes whose signature the machine has checked."""
    found: list[bytes] = []

    def counting(raw: bytes) -> Sealed | Rejection:
        found.append(raw)
        return open_sealed(raw)

    monkeypatch.setattr(peer_module, "open_sealed", counting)
    return found


class Stage:
    """The machine of seat 0, and what seat SENDER, a member, sends it."""

    def __init__(self, rig: Rig) -> None:
        self.keys = [peer.identity for peer in rig.peers]
        self.machine: PeerMachine = rig.peers[0].machine
        self.machine.begin(0.0)
        self.sender = self.keys[SENDER].peer
        self.place = Envelope(*Seating(rig.genesis).place(GRADIENT), self.sender, b"x")

    def say(self, raw: bytes, now: float = 0.0) -> list[str]:
        return [fault.kind for fault in self.machine.handle(Received(self.sender, raw), now).faults]

    def sealed(self, phase: str = GRADIENT, payload: bytes = b"x", by: Identity | None = None) -> bytes:
        key = by or self.keys[SENDER]
        return seal(key, replace(self.place, phase=phase, sender=key.peer, payload=payload))


def forged(raw: bytes, number: int) -> bytes:
    return raw[:-8] + number.to_bytes(8, "big")


def numbers(count: int) -> Iterator[bytes]:
    return (k.to_bytes(4, "big") for k in range(count))


def test_the_first_bytes_tell_what_bytes_claim_to_be(rig: Rig) -> None:
    assert kind_of(Stage(rig).sealed()) is Use.SEALED
    assert kind_of(encode(Need(0, 0, GRADIENT, (0,)))) is Use.REQUEST
    assert kind_of(encode(Want(0, 0, (bytes(32),)))) is Use.REQUEST
    assert kind_of(encode(ViewRelay(0, 0, 0, b"view", (), ()))) is Use.RELAY
    assert {kind_of(raw) for raw in (b"", b"\xc1", b"\x95", b"\x93\xa6seale", bytes(99))} == {Use.NOISE}


@pytest.mark.parametrize("phase", PHASES)
def test_of_one_slot_two_signatures_are_checked_whatever_its_author_signs(
    phase: str, rig: Rig, opened: list[bytes]
) -> None:
    stage = Stage(rig)
    for payload in numbers(50):
        stage.say(stage.sealed(phase, payload))
    assert len(opened) == 2


def test_the_signature_of_what_is_held_is_not_checked_again(rig: Rig, opened: list[bytes]) -> None:
    stage = Stage(rig)
    raw = stage.sealed()
    for number in range(20):
        stage.say(raw)
        stage.say(forged(raw, number))  # the same words
    assert opened == [raw]


def test_a_message_that_was_signed_for_another_roster_or_is_too_long_costs_no_check(
    rig: Rig, opened: list[bytes]
) -> None:
    stage = Stage(rig)
    elsewhere = seal(stage.keys[SENDER], replace(stage.place, roster=bytes(32)))
    assert stage.say(elsewhere) == ["wrong_roster"]
    assert stage.say(stage.sealed(payload=bytes(1 << 16))) == ["oversize"]
    assert stage.say(stage.sealed(by=Identity.from_seed(digest("stranger")))) == ["not_a_member"]
    assert opened == []


def test_a_false_signature_is_checked_a_few_times_and_then_nothing_signed_is_read(
    rig: Rig, opened: list[bytes]
) -> None:
    stage = Stage(rig)
    said = [stage.say(forged(stage.sealed(), number)) for number in range(50)]
    assert said == [["bad_signature"]] * (FALSE_MAX + 1) + [[]] * (49 - FALSE_MAX)
    assert len(opened) == FALSE_MAX + 1
    assert stage.say(stage.sealed()) == []
    assert not stage.machine.attempt.board.holds(stage.sealed())


def test_what_one_sender_forges_costs_no_other_anything(rig: Rig) -> None:
    stage = Stage(rig)
    for number in range(50):
        stage.say(forged(stage.sealed(), number))
    other = stage.sealed(by=stage.keys[1])
    stage.machine.handle(Received(stage.keys[1].peer, other), 0.0)
    assert stage.machine.attempt.board.holds(other)


@pytest.mark.parametrize(
    ("phase", "payloads", "checks"),
    [
        (CALL, [encode(Call(0, GRADIENT)), encode(Call(0, GRADIENT)) + b"x"], 1),
        (CALL, [encode(Call(dispute, GRADIENT)) for dispute in range(9)], 2),
        (ENDORSE, list(numbers(9)), 1),
    ],
)
def test_calls_and_endorsements_are_checked_once_each(
    phase: str, payloads: list[bytes], checks: int, rig: Rig, opened: list[bytes]
) -> None:
    stage = Stage(rig)
    for payload in payloads:
        raw = stage.sealed(phase, payload)
        for said in (raw, raw, forged(raw, 1)):
            stage.say(said)
    assert len(opened) == checks


def test_a_message_of_a_later_attempt_is_kept_unread(rig: Rig, opened: list[bytes]) -> None:
    stage = Stage(rig)
    assert stage.say(seal(stage.keys[SENDER], replace(stage.place, step=1))) == []
    assert opened == []


@pytest.mark.parametrize(
    ("raw", "most"),
    [(encode(Need(0, 0, GRADIENT, (0,))), REQUESTS_MAX), (b"\xc1", NOISE_MAX)],
)
def test_more_than_an_honest_sender_needs_is_a_fault_once_and_then_not_read(
    raw: bytes, most: int, rig: Rig
) -> None:
    stage = Stage(rig)
    said = [stage.say(raw) for _ in range(most + 20)]
    assert [kinds.count("flood") for kinds in said] == [0] * most + [1] + [0] * 19


def test_idle_messages_are_a_fault_once_they_are_more_than_anybody_can_ask_for(rig: Rig) -> None:
    stage = Stage(rig)
    raw = stage.sealed()
    stage.say(raw)
    said = [kind for number in range(1000) for kind in stage.say(forged(raw, number))]
    assert said == ["flood"]


def test_bounds_grow_while_an_attempt_lasts_and_are_new_in_the_next() -> None:
    sender = PeerId(bytes(32))
    admission = Admission(N, 10.0, 0.0)
    while admission.spend(sender, Use.REQUEST, 0.0):
        pass
    assert admission.is_over(sender, Use.REQUEST, 0.0)
    assert not admission.is_over(sender, Use.REQUEST, 10.0)
    assert not admission.is_over(sender, Use.NOISE, 0.0)
    assert not admission.is_over(PeerId(bytes(31) + b"x"), Use.REQUEST, 0.0)


def test_what_a_held_up_member_says_is_asked_of_the_others_at_once_in_every_phase(rig: Rig) -> None:
    stage = Stage(rig)
    asked = needs(stage.machine.hold_up(stage.sender))
    assert asked == [(GRADIENT, (SENDER,))]
    assert needs(stage.machine.hold_up(stage.sender)) == []
    assert needs(stage.machine.hold_up(PeerId(bytes(32)))) == []


def test_a_flood_holds_up_no_step_if_the_others_have_what_the_sender_says() -> None:
    def late(sender: int, to: int, raw: bytes, now: float) -> float:
        return 4.0 if (sender, to) == (SENDER, 0) and kind_of(raw) is Use.SEALED else 0.01

    calm, flooded = Rig(N, 1, delay=late), Rig(N, 1, delay=late)
    victim = flooded.peers[0].machine
    handle, asked = victim.handle, list[str]()

    def handling(event: Event, now: float) -> Actions:
        out = victim.hold_up(flooded.peers[SENDER].name)
        out.extend(handle(event, now))
        asked.extend(phase for phase, seats in needs(out) if seats == (SENDER,))
        return out

    victim.handle = handling  # type: ignore[method-assign]
    calm.run()
    flooded.run()
    assert flooded.now < calm.now / 4
    assert set(asked) >= {GRADIENT, RECORD}


def needs(out: Actions) -> list[tuple[str, tuple[int, ...]]]:
    found = (decode(Need, send.raw) for send in out.messages)
    return [(need.phase, need.seats) for need in found if isinstance(need, Need)]
