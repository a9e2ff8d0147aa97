"""A peer that offers the blobs of others with a size that they do not have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.machine import Actions, PushBlob
from btard.protocol.messages import AGGREGATE, AggregateCommitment
from btard.protocol.peer import PeerMachine
from btard.types import Digest


@dataclass(kw_only=True, eq=False)
class FalseOffer(Adversary):
    """Holds its own aggregate back for `delay` (in units of phase_s), so that the others wait for it, and
    meanwhile offers them every other aggregate as `claimed_bytes` long.

    The simulator carries out the false claim. Over a real transport, which offers true sizes, the aggregate
    is only late."""

    reasons: ClassVar[frozenset[str]] = frozenset()

    delay: float = 0.2
    claimed_bytes: int = 4
    _own: Digest | None = field(init=False, default=None, repr=False)
    _kept_back: PushBlob | None = field(init=False, default=None, repr=False)
    _release: float = field(init=False, default=0.0, repr=False)
    _offered: set[Digest] = field(init=False, default_factory=set, repr=False)

    def claims(self, name: Digest, size_bytes: int) -> int:
        return self.claimed_bytes if name in self._offered else size_bytes

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        if not self.is_attacking:
            return out
        attempt = machine.attempt
        said = {seat: post.payload for seat, post in attempt.board.posts[AGGREGATE].items()}
        names = {s: Digest(p.aggregate) for s, p in said.items() if isinstance(p, AggregateCommitment)}
        own = names.get(self.seat) if self.seat is not None else None
        for effect in [e for e in out.effects if isinstance(e, PushBlob) and e.digest == own]:
            if self._own != own:
                self._own, self._kept_back, self._offered = own, effect, set()
                self._release = now + self.delay * attempt.state.config.phase_s
                out.effects.remove(effect)
        if self._kept_back is None:
            return out
        if now >= self._release:
            out.effects.append(self._kept_back)
            self._kept_back = None
            return out
        for seat, name in sorted(names.items()):
            if name != own and name not in self._offered and machine.holds(name):
                self._offered.add(name)
                aggregator = attempt.seating.participants[seat]
                to = tuple(peer for peer in self.victims() if peer != aggregator)
                out.effects.append(PushBlob(name, to))
        return out
