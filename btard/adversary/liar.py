"""A peer that lies wherever what it says is a vote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from btard.adversary.base import Adversary
from btard.adversary.false_view import hide
from btard.adversary.forge import other_payload, own_posts, reseal
from btard.errors import ConfigurationError
from btard.machine import Actions, Send
from btard.protocol.broadcast import Post
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    MILLIS_MAX,
    PHASES,
    RECORD,
    REVEAL,
    SCALARS,
    VERDICT,
    Late,
    Vote,
)
from btard.protocol.peer import PeerMachine
from btard.protocol.record import NOTHING
from btard.protocol.rules import disputed
from btard.protocol.suspicion import examiners
from btard.types import PeerId
from btard.wire import Sealed, open_sealed

FIELDS = (
    *("silent", "equivocal", "took", "late", "missing", "available"),
    *("unavailable", "votes", "record", "views"),
)
"""What a majority, a median or the other end's word decides about."""


@dataclass(kw_only=True, eq=False)
class Liar(Adversary):
    """Lies in the field `what` of its messages, or, with "random", in one that all colluders draw alike for
    each attempt. Each lie is as well-formed as the truth.

    GRADIENT: all honest peers were `silent`, `equivocal` or `late`, or phases `took` no time, or an age.
    AGGREGATE: the parts of `count` honest peers are `missing`. REVEAL: no honest aggregate is `available`.
    ACCUSE: the rows of all parts that it examines are `unavailable`. VERDICT: its `votes` find the honest
    ends guilty. RECORD: it votes for a `record` that nobody made. Disputes: its `views` hide what it has
    heard."""

    reasons: ClassVar[frozenset[str]] = frozenset({"unreachable", "silent in phase record"})

    what: Literal[
        "random",
        "silent",
        "equivocal",
        "took",
        "late",
        "missing",
        "available",
        "unavailable",
        "votes",
        "record",
        "views",
    ] = "random"
    count: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise ConfigurationError(f"count of liar is {self.count}: use 1 or more")

    @property
    def lie(self) -> str:
        """The field that it lies in in the attempt under way."""
        if self.what != "random":
            return self.what
        return FIELDS[self.common_draw("lie").below(len(FIELDS))]

    def speak(self, phase: str, payload: Any) -> Any:
        if not self.is_attacking or phase not in _LIES:
            return payload
        return _LIES[phase](self, self.lie, payload)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        if not self.is_attacking:
            return out
        if self.lie == "record" and not machine.attempt.in_dispute:
            self._vote_otherwise(out, machine)
        elif self.lie == "views" and machine.attempt.in_dispute:
            hide(out, machine.attempt, self.identity, bool(self.common_draw("view").below(2)))
        return out

    def _vote_otherwise(self, out: Actions, machine: PeerMachine) -> None:
        board, state = machine.attempt.board, machine.attempt.state
        for send, sealed in tuple(own_posts(out, self.identity)):
            said = sealed.envelope
            if said.phase != RECORD or (said.step, said.attempt) != (state.step, state.attempt):
                continue
            other = open_sealed(reseal(self.identity, sealed, other_payload(sealed)))
            post = board.read(other) if isinstance(other, Sealed) else None
            if isinstance(post, Post) and post.sealed.digest != board.posts[RECORD][post.seat].sealed.digest:
                # Its machine believes it too: otherwise its view would convict it of two votes.
                board.posts[RECORD][post.seat] = post
                out.messages[out.messages.index(send)] = Send(send.to, post.sealed.raw)

    # ------------------------------------------------------------ the lies

    def in_gradient(self, lie: str, said: Any) -> Any:
        """Return a commitment with a false report of the attempt before."""
        if lie in ("silent", "equivocal"):
            return replace(said, **{lie: tuple(sorted(self.prey))})
        if lie == "took":
            millis = (1, MILLIS_MAX)[self.common_draw("took").below(2)]
            return replace(said, took=(millis,) * len(PHASES))
        if lie == "late":
            return replace(said, late=tuple(Late(peer, MILLIS_MAX) for peer in sorted(self.prey)))
        return said

    def in_aggregate(self, lie: str, said: Any) -> Any:
        """Return a false complaint, if it may complain."""
        if lie != "missing" or (said.aggregate == NOTHING and not self.seating.state.public):
            return said
        missing = self._seats(self.prey[: self.count])
        return replace(said, aggregate=NOTHING, missing=missing) if missing else said

    def in_reveal(self, lie: str, said: Any) -> Any:
        """Return a reveal that knows no honest aggregate."""
        if lie != "available":
            return said
        aggregators = self.seating.state.aggregators
        return replace(said, available=tuple(p for p in said.available if aggregators[p] in self.colluders))

    def in_accuse(self, lie: str, said: Any) -> Any:
        """Return accusations of an examiner to whom no rows came."""
        assert self._machine is not None
        sets = self._machine.attempt.agreed.sets
        if lie != "unavailable" or SCALARS not in sets:
            return said
        bench = examiners(self.seating, sets)
        return replace(said, unavailable=tuple(part for part in sorted(bench) if self.seat in bench[part]))

    def in_verdict(self, lie: str, said: Any) -> Any:
        """Return votes against the honest ends."""
        assert self._machine is not None
        if lie != "votes":
            return said
        peers = self.seating.everyone
        cases = disputed(self.seating, self._machine.attempt.agreed.sets)
        ends = [(case.accuser, case.target) for case in cases]
        return replace(
            said,
            votes=tuple(
                Vote(tuple(sorted(s for s in both if peers[s] not in self.colluders)), ()) for both in ends
            ),
        )

    def _seats(self, peers: tuple[PeerId, ...]) -> tuple[int, ...]:
        return tuple(sorted(self.seating.participants.index(peer) for peer in peers))


_LIES: Mapping[str, Callable[[Liar, str, Any], Any]] = {
    GRADIENT: Liar.in_gradient,
    AGGREGATE: Liar.in_aggregate,
    REVEAL: Liar.in_reveal,
    ACCUSE: Liar.in_accuse,
    VERDICT: Liar.in_verdict,
}
