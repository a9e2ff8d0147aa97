"""Views that hide what their author holds, and are as well-formed as honest ones."""

from __future__ import annotations

from btard.crypto import Identity
from btard.machine import Actions, Send
from btard.protocol.attempt import AttemptMachine
from btard.protocol.broadcast import sign
from btard.protocol.messages import VIEW, View, ViewRelay
from btard.wire import Rejection, Sealed, decode, encode, open_sealed


def hide(out: Actions, attempt: AttemptMachine, identity: Identity, forgets_phase: bool) -> None:
    """Replace the view of `identity` among `out` by one without others' messages of the phase that is
    collected; or, with `forgets_phase`, by that of a peer which is a phase behind."""
    for place, send in enumerate(out.messages):
        relay = decode(ViewRelay, send.raw)
        if isinstance(relay, Rejection) or relay.signers:
            continue
        true = open_sealed(relay.view)
        if not isinstance(true, Sealed) or true.envelope.sender != identity.peer:
            continue
        view = _false_view(attempt, relay.dispute, forgets_phase)
        false = sign(identity, attempt.seating, VIEW, encode(view))
        raw = encode(ViewRelay(relay.step, relay.attempt, relay.dispute, false.raw, (), ()))
        out.messages[place] = Send(send.to, raw)
        _believe(attempt, identity, false)


def _false_view(attempt: AttemptMachine, dispute: int, forgets_phase: bool) -> View:
    board, phases, collecting = attempt.board, attempt.agreed.phases, attempt.phase
    if forgets_phase and phases:
        phases, collecting = phases[:-1], phases[-1]
    own = board.posts[collecting].get(attempt.seat) if attempt.seat is not None else None
    mine = () if own is None else (own.sealed.raw,)
    return View(dispute, phases, (*board.raws(phases[-1:]), *mine))


def _believe(attempt: AttemptMachine, identity: Identity, view: Sealed) -> None:
    """Let the machine take the false view for its own: with two of itself it would convict itself."""
    agreement = attempt._slow._agreement
    if agreement is not None and attempt.seat is not None:
        agreement._accepted[attempt.seat] = [view]
