"""An auditor comes to the same states as the peers, and no forged entry gets past it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.adversary.equivocation import Equivocation
from btard.adversary.garbage import Garbage
from btard.adversary.wrong_aggregate import WrongAggregate
from btard.crypto import Identity, digest
from btard.errors import LedgerError
from btard.machine import Actions
from btard.protocol import messages
from btard.protocol.agreed import Seating
from btard.protocol.ledger import check_entry, replay
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, RECORD, REVEAL, SCALARS
from btard.protocol.record import ABORT, BAN, LEAVE, MISS, NOTHING, Cause, Entry, Removal
from btard.protocol.state import RosterState
from btard.wire import Envelope, Sealed, encode, open_sealed, seal
from tests.cheats import Scripted, falls_silent, misreports, performing, sending
from tests.rig import MakeAdversary, Rig

SPOKEN = (GRADIENT, AGGREGATE, REVEAL, SCALARS, ACCUSE)
"""The phases of a step in which nothing is wrong, but for the vote."""

ONCE = {"start": 1, "period": 100}
"""An adversary of `btard.adversary` attacks in step 1 alone."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one honest peer wrote down, and the state that it began from."""

    genesis: RosterState
    entries: tuple[Entry, ...]
    identities: tuple[Identity, ...]


def ledger_of(rig: Rig) -> Ledger:
    return Ledger(rig.genesis, rig.honest[0].entries, tuple(peer.identity for peer in rig.peers))


def forged(ledger: Ledger, index: int, **changes: object) -> Ledger:
    """The ledger with other contents in one entry."""
    entries = list(ledger.entries)
    entries[index] = replace(entries[index], **changes)  # type: ignore[arg-type]
    return replace(ledger, entries=tuple(entries))


def index_of(entries: Sequence[Entry], **wanted: object) -> int:
    """The first record with these fields."""
    return next(
        k for k, e in enumerate(entries) if all(getattr(e.record, name) == v for name, v in wanted.items())
    )


def dies_in_step_1(cheat: Scripted, out: Actions) -> Actions:
    return Actions() if cheat.state.step >= 1 else out


def swarm(cheat: MakeAdversary) -> Rig:
    """Five peers that ran three steps; the one in seat 1 cheats.

    In step 1 of this run it is in no pair. If it were, two ACCUSE messages of its own could lead one half to
    VERDICT and the other half to RECORD, and the half that did not vote would miss the step."""
    return Rig(5, 3, run=digest("run", b"the cheat is in no pair"), cheats={1: cheat}).run()


@cache
def with_a_verdict() -> Ledger:
    """Three steps; in step 1 a peer is banned by everybody's votes."""
    return ledger_of(swarm(performing(misreports)))


@cache
def with_a_dispute() -> Ledger:
    """Three steps; in step 1 a peer is banned for its two messages."""
    return ledger_of(swarm(partial(Equivocation, phase=REVEAL, **ONCE)))


def verify(ledger: Ledger) -> list[RosterState]:
    return [checked.state for checked in replay(ledger.genesis, ledger.entries)]


# ---------------------------------------------------------------- what holds

MISDEEDS: dict[str, MakeAdversary] = {
    **{f"garbage as {p}": partial(Garbage, phase=p, **ONCE) for p in (*SPOKEN, RECORD)},
    **{f"two messages as {p}": partial(Equivocation, phase=p, **ONCE) for p in (*SPOKEN, RECORD)},
    **{f"silent in {p}": falls_silent(p) for p in SPOKEN},
    "silent in the vote": falls_silent(RECORD),
    "silent in the last vote": falls_silent(RECORD, step=2),
    "dead": sending(dies_in_step_1),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_the_auditor_comes_to_the_state_of_every_honest_peer(misdeed: str) -> None:
    made = swarm(MISDEEDS[misdeed])
    for peer in made.honest:
        states = [checked.state for checked in replay(made.genesis, peer.entries)]
        assert states[-1] == peer.machine.state
        assert states[-1].step == 3


def test_a_ban_by_zero_sum_and_one_by_verdict_follow_from_the_messages() -> None:
    for ledger in (ledger_of(swarm(partial(WrongAggregate, **ONCE))), with_a_verdict()):
        assert [r.kind for e in ledger.entries for r in e.record.removals] == [BAN]
        assert verify(ledger)[-1].members == tuple(i.peer for k, i in enumerate(ledger.identities) if k != 1)


def test_a_dispute_follows_from_its_views_and_without_them_rests_on_its_endorsements() -> None:
    ledger = with_a_dispute()
    at = index_of(ledger.entries, disputed=True)
    assert [c.derived for c in replay(ledger.genesis, ledger.entries)] == [True] * len(ledger.entries)
    checked = list(replay(ledger.genesis, forged(ledger, at, transcript=()).entries))
    assert [k for k, c in enumerate(checked) if not c.derived] == [at]


def test_the_evidence_of_an_equivocation_may_stand_beside_the_agreed_messages() -> None:
    ledger = with_a_verdict()
    extra = ledger.entries[1].transcript[0]
    assert len(verify(forged(ledger, 1, transcript=(*ledger.entries[1].transcript, extra)))) == 5


# ---------------------------------------------------------------- what does not


def refused(ledger: Ledger, index: int) -> str:
    """The auditor's sentence, which must name this record."""
    with pytest.raises(LedgerError, match=f"^record {index} of the ledger does not hold: ") as caught:
        verify(ledger)
    return str(caught.value)


def recertified(ledger: Ledger, at: int, /, **changes: object) -> Ledger:
    """Another record in one entry, signed by the participants: by all of them, as if all had been corrupt."""
    state = [ledger.genesis, *verify(ledger)][at]
    record = replace(ledger.entries[at].record, **changes)  # type: ignore[arg-type]
    if record.disputed:
        phase, payload = messages.ENDORSE, encode(messages.Endorse(encode(record)))
    else:
        phase, payload = RECORD, encode(messages.RecordVote(NOTHING, record.digest))
    signing = [i for i in ledger.identities if i.peer in state.participants]
    votes = tuple(seal(i, Envelope(*Seating(state).place(phase), i.peer, payload)) for i in signing)
    return forged(ledger, at, record=record, certificate=votes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"run": bytes(32)}, "another run"),
        ({"index": 7}, "calls itself record 7"),
        ({"previous": bytes(32)}, "does not follow the record before it"),
        ({"step": 2}, "of step 2 instead of 1"),
        ({"attempt": 3}, "of attempt 3 instead of 0"),
        ({"participants": bytes(32)}, "another roster"),
        ({"coin": bytes(31) + b"x"}, "its coin is not that of the reveals"),
        ({"removals": ()}, "its messages lead to another one (removals)"),
        ({"kind": "step"}, "its messages lead to another one (kind"),
        ({"model": bytes(31) + b"x"}, "its messages lead to another one (model)"),
        ({"sets": (bytes(32),) * 6}, "its messages lead to another one (sets)"),
        (
            {"disputed": True, "phases": (), "sets": (), "coin": NOTHING, "took": (), "late": ()},
            "of its transcript|view 0 belongs elsewhere",
        ),
        ({"phases": (GRADIENT,)}, "24 messages, 5 belong|30 messages, 5 belong"),
    ],
)
def test_a_false_record_is_refused_even_if_everybody_signed_it(
    changes: dict[str, object], sentence: str
) -> None:
    said = refused(recertified(with_a_verdict(), 1, **changes), 1)
    assert any(each in said for each in sentence.split("|"))


def test_an_invented_ban_is_refused_even_if_everybody_signed_it() -> None:
    ledger = with_a_verdict()
    victim = Removal(ledger.identities[3].peer, BAN, Cause.FALSE_SCALARS)
    said = refused(recertified(ledger, 0, kind=ABORT, model=NOTHING, removals=(victim,)), 0)
    assert "its messages lead to another one" in said


def test_the_aggregates_of_a_step_that_never_happened_are_refused() -> None:
    ledger = with_a_verdict()
    short = ledger.entries[0].transcript[:-5]
    phases, sets = ledger.entries[0].record.phases[:-1], ledger.entries[0].record.sets[:-1]
    cut = recertified(ledger, 0, phases=phases, sets=sets)
    assert "phase accuse is missing" in refused(forged(cut, 0, transcript=short), 0)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_half_of_the_signatures_or_fewer_are_not_enough(kept: int) -> None:
    ledger = with_a_verdict()
    cut = ledger.entries[1].certificate[:kept]
    assert f"{kept} of 5 participants signed it" in refused(forged(ledger, 1, certificate=cut), 1)
    assert len(verify(forged(ledger, 1, certificate=ledger.entries[1].certificate[:3]))) == 5


def test_a_signature_counts_once() -> None:
    ledger = with_a_verdict()
    (first, second, *_) = ledger.entries[1].certificate
    assert "counts a peer twice" in refused(forged(ledger, 1, certificate=(first, second, first)), 1)


def test_votes_for_another_record_do_not_certify_this_one() -> None:
    ledger = with_a_verdict()
    other = recertified(ledger, 1, removals=())
    assert "voted for another record" in refused(forged(other, 1, record=ledger.entries[1].record), 1)


def test_the_signatures_of_outsiders_do_not_count() -> None:
    ledger = with_a_verdict()
    banned = ledger.identities[1]
    state = verify(ledger)[1]
    said = encode(messages.RecordVote(NOTHING, ledger.entries[2].record.digest))
    vote = seal(banned, Envelope(*Seating(state).place(RECORD), banned.peer, said))
    certificate = (*ledger.entries[2].certificate, vote)
    assert "takes no part" in refused(forged(ledger, 2, certificate=certificate), 2)


def test_entries_in_another_order_are_refused() -> None:
    ledger = with_a_verdict()
    a, b, *rest = ledger.entries
    assert "calls itself record 1" in refused(replace(ledger, entries=(b, a, *rest)), 0)
    assert "calls itself record 2" in refused(replace(ledger, entries=(a, *rest)), 1)


def test_a_message_that_is_dropped_exchanged_or_doubled_is_refused() -> None:
    ledger = with_a_verdict()
    said = ledger.entries[1].transcript
    assert "30 belong to its phases" in refused(forged(ledger, 1, transcript=said[:-1]), 1)
    assert "out of order" in refused(forged(ledger, 1, transcript=(said[1], said[0], *said[2:])), 1)
    assert "out of order" in refused(forged(ledger, 1, transcript=(said[0], said[0], *said[2:])), 1)
    alien = ledger.entries[0].transcript[0]
    assert "no slot of this attempt" in refused(forged(ledger, 1, transcript=(alien, *said[1:])), 1)
    assert "no slot of this attempt" in refused(forged(ledger, 1, transcript=(*said, alien)), 1)


@given(data=st.data())
def test_no_message_can_be_changed_by_its_own_author_or_break_the_auditor(data: st.DataObject) -> None:
    ledger = data.draw(st.sampled_from([with_a_verdict(), with_a_dispute()]))
    at = data.draw(st.integers(0, len(ledger.entries) - 1))
    transcript = list(ledger.entries[at].transcript)
    number = data.draw(st.integers(0, len(transcript) - 1))
    sealed = open_sealed(transcript[number])
    assert isinstance(sealed, Sealed)
    payload = bytearray(sealed.envelope.payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    author = next(i for i in ledger.identities if i.peer == sealed.envelope.sender)
    transcript[number] = seal(author, replace(sealed.envelope, payload=bytes(payload)))
    if author is ledger.identities[1] and ledger.entries[at].record.disputed:
        return  # what else a convicted peer claims to have seen changes nothing
    refused(forged(ledger, at, transcript=tuple(transcript)), at)


# ---------------------------------------------------------------- disputes


@pytest.mark.parametrize("kind", [LEAVE, MISS, BAN])
def test_a_dispute_removes_nobody_but_whom_its_views_convict(kind: str) -> None:
    ledger = with_a_dispute()
    at = index_of(ledger.entries, disputed=True)
    victim = Removal(ledger.identities[3].peer, kind, Cause.SILENT_IN_REVEAL)
    assert "not what the views" in refused(recertified(ledger, at, removals=(victim,)), at)


def test_a_dispute_needs_all_of_its_views_and_each_once() -> None:
    ledger = with_a_dispute()
    at = index_of(ledger.entries, disputed=True)
    views = ledger.entries[at].transcript
    for k in (0, 2, 3, 4):
        # Without an honest view the cheat is still convicted, but the view's author would be missing too.
        fewer = views[:k] + views[k + 1 :]
        assert "not what the views" in refused(forged(ledger, at, transcript=fewer), at)
    assert "one too many" in refused(forged(ledger, at, transcript=(*views, views[0])), at)


def test_endorsements_are_counted_as_votes_are() -> None:
    ledger = with_a_dispute()
    at = index_of(ledger.entries, disputed=True)
    few = ledger.entries[at].certificate[:2]
    assert "2 of 5 participants signed" in refused(forged(ledger, at, certificate=few), at)
    other = recertified(ledger, at, removals=())
    assert "does not remove" in refused(other, at)
    assert "endorsed another record" in refused(forged(other, at, record=ledger.entries[at].record), at)


def test_a_dispute_cannot_be_passed_off_as_a_step() -> None:
    ledger = with_a_dispute()
    at = index_of(ledger.entries, disputed=True)
    assert "lead to another one" in refused(recertified(ledger, at, kind="step", model=bytes(32)), at)
    assert "is no vote" in refused(
        forged(with_a_verdict(), 0, certificate=with_a_verdict().entries[0].transcript[:1]), 0
    )


def test_a_run_without_a_majority_has_no_further_records() -> None:
    ledger = with_a_verdict()
    alone = replace(ledger.genesis, excluded=ledger.genesis.members[:3])
    with pytest.raises(LedgerError, match="the run had ended"):
        check_entry(alone, ledger.entries[0])
