"""One peer and what the network may do to it: too early, too late, from strangers, nonsense, and lies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.crypto import Identity, digest
from btard.machine import Actions, Adopt, BlobHeld, Done, Event, PushBlob, Received, Send, Tick
from btard.protocol.agreed import Seating
from btard.protocol.messages import (
    GRADIENT,
    PAYLOADS,
    PHASES,
    RECORD,
    Call,
    Endorse,
    Need,
    View,
    ViewRelay,
    Want,
)
from btard.protocol.outputs import FINISHED
from btard.protocol.peer import EARLY_BYTES_MAX, EARLY_MAX, PeerMachine
from btard.protocol.record import STEP
from btard.types import PeerId
from btard.wire import Envelope, Sealed, encode, open_sealed, seal
from tests.cheats import Scripted, is_of, sending
from tests.protocol.strategies import payloads, slow
from tests.rig import Rig

N, STEPS, BYZANTINE = 4, 2, 3
STRANGER = Identity.from_seed(b"\xee" * 32)


@dataclass(frozen=True)
class Tape:
    """All that happened to the peer in seat 0 of a run, in order, and how the run went."""

    net: Rig
    events: tuple[tuple[Event, float], ...]

    @property
    def keys(self) -> list[Identity]:
        return [peer.identity for peer in self.net.peers]

    def machine(self) -> PeerMachine:
        """The peer of seat 0, at the beginning."""
        return self.net.peer(0, self.keys[0]).machine

    def play(
        self, machine: PeerMachine, before: dict[int, list[Event]] | None = None
    ) -> tuple[PeerMachine, Actions]:
        """Let all of it happen again, with other events before those of these numbers."""
        out = machine.begin(0.0)
        for number, (event, now) in enumerate(self.events):
            for inserted in (before or {}).get(number, []):
                out.extend(machine.handle(inserted, now))
            out.extend(machine.handle(event, now))
        return machine, out


@cache
def tape() -> Tape:
    net = Rig(N, STEPS)
    events: list[tuple[Event, float]] = []
    machine = net.peers[0].machine
    handle = machine.handle

    def record(event: Event, now: float) -> Actions:
        events.append((event, now))
        return handle(event, now)

    machine.handle = record  # type: ignore[method-assign]
    net.run()
    return Tape(net, tuple(events))


def spoken(phase: str = "", step: int | None = None, seat: int | None = None) -> list[bytes]:
    """What others said to seat 0."""
    found = []
    for event, _ in tape().events:
        sealed = open_sealed(event.raw) if isinstance(event, Received) else None
        if isinstance(sealed, Sealed):
            said = sealed.envelope
            author = None if seat is None else tape().keys[seat].peer
            if phase in ("", said.phase) and step in (None, said.step) and author in (None, said.sender):
                found.append(sealed.raw)
    return found


def from_seat(seat: int, raw: bytes) -> Received:
    return Received(tape().keys[seat].peer, raw)


def signed(by: int | Identity, **changes: Any) -> bytes:
    """A message of step 0 under the key of a seat, or another key, with changes."""
    key = by if isinstance(by, Identity) else tape().keys[by]
    good = Envelope(*Seating(tape().net.genesis).place(GRADIENT), key.peer, b"x")
    return seal(key, replace(good, **changes))


def faults_of(out: Actions) -> list[tuple[PeerId, str]]:
    return [(fault.peer, fault.kind) for fault in out.faults]


def test_the_same_events_make_the_same_ledger() -> None:
    machine, out = tape().play(tape().machine())
    assert machine.state == tape().net.peers[0].machine.state
    assert machine.ended is not None
    assert machine.ended.reason == FINISHED
    assert out.faults == []
    assert machine.wake is None


# ---------------------------------------------------------------- messages of another place


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"run": bytes(32)}, "wrong_run"),
        ({"roster": bytes(32)}, "wrong_roster"),
        ({"phase": "lunch"}, "out_of_bounds"),
        ({"phase": "view"}, "out_of_bounds"),
    ],
)
def test_a_message_of_another_place_is_counted_against_whoever_sent_it(
    changes: dict[str, Any], kind: str
) -> None:
    machine = tape().machine()
    machine.begin(0.0)
    sender = tape().keys[2].peer
    out = machine.handle(Received(sender, signed(1, **changes)), 0.0)
    assert faults_of(out) == [(sender, kind)]


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93", bytes(1000), b"\xdd\xff\xff\xff\xff"])
def test_noise_is_counted_against_whoever_sent_it(raw: bytes) -> None:
    machine = tape().machine()
    out = machine.handle(from_seat(2, raw), 0.0)
    assert [peer for peer, _ in faults_of(out)] == [tape().keys[2].peer]


def test_a_forged_signature_is_counted_and_takes_no_slot() -> None:
    machine = tape().machine()
    machine.begin(0.0)
    raw = spoken(GRADIENT, 0, 1)[0]
    out = machine.handle(from_seat(2, raw[:-1] + bytes([raw[-1] ^ 1])), 0.0)
    assert faults_of(out) == [(tape().keys[2].peer, "bad_signature")]
    assert 1 not in machine.attempt.board.posts[GRADIENT]


def test_a_message_that_another_peer_forwards_counts_as_its_authors() -> None:
    machine = tape().machine()
    machine.begin(0.0)
    assert machine.handle(from_seat(2, spoken(GRADIENT, 0, 1)[0]), 0.0).faults == []
    assert 1 in machine.attempt.board.posts[GRADIENT]


def test_requests_and_early_messages_of_strangers_are_refused() -> None:
    machine = tape().machine()
    early = signed(STRANGER, step=1)
    for raw in (early, encode(Need(0, 0, GRADIENT, (0,))), encode(Want(0, 0, (bytes(32),)))):
        assert faults_of(machine.handle(Received(STRANGER.peer, raw), 0.0)) == [
            (STRANGER.peer, "not_a_member")
        ]


# ---------------------------------------------------------------- too early, too late


def test_what_comes_too_early_is_kept_until_its_time() -> None:
    machine = tape().machine()
    for raw in spoken(step=1):
        assert machine.handle(from_seat(2, raw), 0.0) == Actions()
    early = spoken(step=1)
    kept = tuple((e, t) for e, t in tape().events if not (isinstance(e, Received) and e.raw in early))
    _, out = replace(tape(), events=kept).play(machine)
    assert machine.state == tape().net.peers[0].machine.state
    assert out.faults == []


def test_early_messages_of_one_sender_are_bounded_in_number() -> None:
    machine = tape().machine()
    outs = [machine.handle(from_seat(2, signed(2, step=2 + k)), 0.0) for k in range(EARLY_MAX + 3)]
    assert [faults_of(out) for out in outs[:EARLY_MAX]] == [[]] * EARLY_MAX
    assert [faults_of(out) for out in outs[EARLY_MAX:]] == [[(tape().keys[2].peer, "flood")]] * 3
    assert machine.handle(from_seat(1, signed(1, step=2)), 0.0).faults == []


def test_early_messages_of_one_sender_are_bounded_in_bytes() -> None:
    machine = tape().machine()
    large = [signed(2, step=2, payload=bytes([k]) * (3 << 20)) for k in range(4)]
    found = [faults_of(machine.handle(from_seat(2, raw), 0.0)) for raw in large]
    assert sum(map(bool, found)) == len(large) - EARLY_BYTES_MAX // (3 << 20)


def test_whoever_is_still_at_the_last_attempt_gets_its_messages_and_the_proof_of_its_end() -> None:
    machine, _ = tape().play(tape().machine())
    asker = tape().keys[2].peer
    need = machine.handle(Received(asker, encode(Need(STEPS, 0, RECORD, (0, 1, 1, 1)))), 99.0)
    assert [send.to for send in need.messages] == [(asker,)] * 2
    view = signed(2, step=STEPS, phase="view", payload=encode(View(0, (), ())))
    relay = Received(asker, encode(ViewRelay(STEPS, 0, 0, view, (), ())))
    proof = machine.handle(relay, 99.0)
    assert [is_of(send.raw, RECORD, step=STEPS) for send in proof.messages] == [True] * N
    assert machine.handle(relay, 99.0).messages == [], "once is enough"


def test_whoever_is_several_attempts_behind_gets_the_proofs_of_all_of_them_once() -> None:
    machine, _ = tape().play(tape().machine())
    asker = tape().keys[2].peer
    call = Received(asker, signed(2, phase="call", payload=encode(Call(0, RECORD))))
    proof = machine.handle(call, 99.0)
    assert {send.to for send in proof.messages} == {(asker,)}
    steps = [s for send in proof.messages for s in range(STEPS + 1) if is_of(send.raw, RECORD, step=s)]
    assert steps == [0] * N + [1] * N + [2] * N
    assert machine.handle(call, 99.0).messages == []
    need = machine.handle(Received(asker, encode(Need(0, 0, GRADIENT, (0, 1)))), 99.0)
    assert [is_of(send.raw, GRADIENT, step=0) for send in need.messages] == [True, True]


def test_a_call_of_the_attempt_under_way_is_no_fault_and_freezes_nobody() -> None:
    machine = tape().machine()
    machine.begin(0.0)
    raw = signed(1, phase="call", payload=encode(Call(0, GRADIENT)))
    assert machine.handle(from_seat(1, raw), 0.0) == Actions()
    assert not machine.attempt.in_dispute


def test_a_false_call_is_counted_against_whoever_sent_it() -> None:
    machine = tape().machine()
    machine.begin(0.0)
    raw = signed(1, phase="call", payload=encode(Call(0, "lunch")))
    assert faults_of(machine.handle(from_seat(2, raw), 0.0)) == [(tape().keys[2].peer, "out_of_bounds")]


def test_calls_of_enough_peers_begin_a_dispute() -> None:
    machine = tape().machine()
    machine.begin(0.0)
    for seat in (1, 2):
        machine.handle(from_seat(seat, signed(seat, phase="call", payload=encode(Call(0, GRADIENT)))), 0.0)
    assert machine.attempt.in_dispute


def test_a_need_is_answered_when_the_message_comes() -> None:
    machine = tape().machine()
    machine.begin(0.0)
    asker = tape().keys[2].peer
    assert machine.handle(Received(asker, encode(Need(0, 0, GRADIENT, (1,)))), 0.0).messages == []
    raw = spoken(GRADIENT, 0, 1)[0]
    out = machine.handle(from_seat(1, raw), 0.0)
    assert [(send.to, send.raw) for send in out.messages] == [((asker,), raw)]


def test_blobs_that_nobody_is_owed_are_not_pushed() -> None:
    machine = tape().machine()
    _, out = replace(tape(), events=tape().events[:20]).play(machine)
    asker = tape().keys[2].peer
    pushed = [effect for effect in out.effects if isinstance(effect, PushBlob)]
    part_of_another = next(effect.digest for effect in pushed if asker not in effect.to)
    assert machine.state.step == 0
    assert machine.holds(part_of_another), "it could be pushed"
    for name in (digest("no blob"), part_of_another):
        asked = machine.handle(from_seat(2, encode(Want(0, 0, (name,)))), tape().events[19][1])
        answers = [effect for effect in asked.effects if isinstance(effect, PushBlob)]
        assert all(effect.digest != name for effect in answers)


# ---------------------------------------------------------------- whatever Byzantine peers send


noise = st.binary(max_size=300)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message of the run with bytes changed, cut or repeated."""
    raw = bytearray(draw(st.sampled_from(spoken())))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(raw) - 1))
        how = draw(st.sampled_from(["flip", "cut", "repeat"]))
        if how == "flip":
            raw[place] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del raw[place : place + draw(st.integers(1, 8))]
        else:
            raw[place:place] = raw[place : place + draw(st.integers(1, 8))]
        if not raw:
            break
    return bytes(raw)


@settings(max_examples=30)
@given(st.dictionaries(st.integers(0, 60), st.lists(noise | mutated(), min_size=1, max_size=6), max_size=6))
def test_unsigned_nonsense_at_any_moment_changes_nothing(sent: dict[int, list[bytes]]) -> None:
    before: dict[int, list[Event]] = {at: [from_seat(3, raw) for raw in raws] for at, raws in sent.items()}
    machine, out = tape().play(tape().machine(), before)
    assert machine.state == tape().net.peers[0].machine.state
    assert {peer for peer, _ in faults_of(out)} <= {tape().keys[3].peer}


@st.composite
def lies(draw: st.DrawFn) -> bytes:
    """What a Byzantine member can sign, or send unsigned: any payload, view or request in any place."""
    step, attempt = draw(st.integers(0, 1)), draw(st.sampled_from([0, 0, 0, 1]))
    what = draw(st.sampled_from(["payload", "garbage", "view", "endorse", "call", "request"]))
    if what == "payload":
        phase = draw(st.sampled_from(PHASES))
        return signed(
            3, step=step, attempt=attempt, phase=phase, payload=encode(draw(payloads[PAYLOADS[phase]]))
        )
    if what == "garbage":
        return signed(3, step=step, attempt=attempt, phase=draw(st.sampled_from(PHASES)), payload=draw(noise))
    if what == "endorse":
        return signed(3, step=step, phase="endorse", payload=draw(noise | slow[Endorse].map(encode)))
    if what == "call":
        said = draw(
            noise | slow[Call].map(encode) | st.sampled_from(PHASES).map(lambda p: encode(Call(0, p)))
        )
        return signed(3, step=step, attempt=attempt, phase="call", payload=said)
    if what == "request":
        request = draw(slow[Need] | slow[Want] | slow[ViewRelay])
        return encode(replace(request, step=step, attempt=attempt))
    trail = tuple(draw(st.lists(st.sampled_from(PHASES), max_size=3)))
    messages = tuple(draw(st.lists(st.sampled_from(spoken()), max_size=6)))
    dispute = draw(st.integers(0, 1))
    view = signed(3, step=step, attempt=attempt, phase="view", payload=encode(View(dispute, trail, messages)))
    return encode(ViewRelay(step, attempt, dispute, view, (), ()))


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 80), st.lists(lies(), min_size=1, max_size=4), min_size=1, max_size=5))
def test_whatever_a_byzantine_member_signs_no_machine_breaks_and_no_honest_peer_is_banned(
    sent: dict[int, list[bytes]],
) -> None:
    before: dict[int, list[Event]] = {at: [from_seat(3, raw) for raw in raws] for at, raws in sent.items()}
    machine, out = tape().play(tape().machine(), before)
    now = tape().events[-1][1]
    for _ in range(60):  # and what the deadlines make of it, when nobody says anything more
        if machine.wake is not None:
            now = max(now, machine.wake)
            out.extend(machine.handle(Tick(), now))
    assert {peer for peer, _ in faults_of(out)} <= {tape().keys[3].peer}
    bans = [r for o in out.outputs if hasattr(o, "entry") for r in o.entry.record.removals]
    assert {removal.peer for removal in bans if removal.kind == "ban"} <= {tape().keys[3].peer}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), lies()), min_size=1, max_size=6), st.integers(0, 1))
def test_honest_peers_stay_together_whatever_a_byzantine_member_tells_each_of_them(
    told: list[tuple[int, bytes]], step: int
) -> None:
    left = list(told)

    def tamper(cheat: Scripted, out: Actions) -> Actions:
        if left and cheat.state.step >= step:
            to, raw = left.pop()
            out.messages.append(Send((tape().keys[to].peer,), raw))
        return out

    net = Rig(N, STEPS, cheats={BYZANTINE: sending(tamper)}).run()
    assert {seat for seat, kind, _ in net.removals() if kind == "ban"} <= {BYZANTINE}
    assert Counter(record.kind for record in net.agreed())[STEP] == STEPS
    assert {PeerId(fault.peer) for fault in net.faults()} <= {tape().keys[BYZANTINE].peer}


# ---------------------------------------------------------------- results of effects


def test_the_result_of_an_effect_that_comes_twice_or_late_is_harmless() -> None:
    again = [e for e, _ in tape().events if isinstance(e, Done) and not isinstance(e.effect, Adopt)]
    before: dict[int, list[Event]] = {number: [*again[:8]] for number in (5, 20, 40)}
    machine, _ = tape().play(tape().machine(), before)
    assert machine.state == tape().net.peers[0].machine.state


def test_a_blob_that_was_never_named_is_harmless() -> None:
    blob = BlobHeld(digest("blob", b"unheard of"), 12, True)
    machine, _ = tape().play(tape().machine(), {3: [blob], 30: [blob]})
    assert machine.state == tape().net.peers[0].machine.state
    assert not machine.expects(tape().keys[1].peer, blob.digest)


def test_a_peer_whose_run_is_over_does_nothing_more() -> None:
    machine, _ = tape().play(tape().machine())
    assert machine.handle(Tick(), 1e6) == Actions()
    assert machine.handle(from_seat(1, signed(1, step=STEPS)), 1e6).effects == []
