"""What all honest peers agree on between attempts: the roster and all that a next attempt needs.

`RosterState` changes only by `RosterState.after(record, ...)`, a pure function of a certified ledger record:
peers that hold the same ledger hold the same state, and so does an auditor who replays it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from btard.crypto import Draw, digest
from btard.protocol.constants import ProtocolConfig
from btard.protocol.record import ABORT, BAN, LEAVE, MISS, STEP, Cause, Record, Removal
from btard.types import Digest, PeerId, Scalars


def roster_digest(peers: Sequence[PeerId]) -> Digest:
    """Digest of a roster, in its order."""
    return digest("roster", *peers)


def gradient_seed(coin: bytes, peer: PeerId) -> bytes:
    """seed_i = H(r_(t-1), i): the public seed of peer i's batch, dropout and masks (BTARD, Algorithm 1)."""
    return digest("gradient seed", coin, peer)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a finished step leaves for the validation of its gradients in the step after it: the coin
    that seeded them, the coin that projected them, who took part, the aggregates, the scalars."""

    step: int
    seed_coin: bytes
    coin: bytes
    participants: tuple[PeerId, ...]
    aggregates: tuple[Digest, ...]
    scalars: tuple[tuple[Scalars, ...], ...]


@dataclass(frozen=True, slots=True)
class RosterState:
    """Agreed by the ledger. `members` (sorted) hold seats; `excluded` lost the current step only.
    `coin` is r_(step-1). `witnessed` are the pairs relayed since the participants last changed in this
    step, with the part of the sender for the receiver that is known to have come to most peers. `pairs`
    are the (validator, target) pairs that examine `finished`."""

    run: Digest
    config: ProtocolConfig
    members: tuple[PeerId, ...]
    coin: bytes
    head: Digest
    index: int = 0
    step: int = 0
    attempt: int = 0
    excluded: tuple[PeerId, ...] = ()
    strikes: tuple[tuple[PeerId, int], ...] = ()
    relays: tuple[tuple[PeerId, PeerId, int], ...] = ()
    pairs: tuple[tuple[PeerId, PeerId], ...] = ()
    finished: Finished | None = None
    witnessed: tuple[tuple[PeerId, PeerId, Digest], ...] = ()
    participants: tuple[PeerId, ...] = field(init=False)

    def __post_init__(self) -> None:
        out = set(self.excluded)
        object.__setattr__(self, "participants", tuple(p for p in self.members if p not in out))

    @classmethod
    def genesis(cls, run: Digest, config: ProtocolConfig, members: Sequence[PeerId]) -> RosterState:
        """The state before step 0. The first coin is public: step 0 has no earlier gradient to protect."""
        return cls(
            run=run,
            config=config,
            members=tuple(sorted(members)),
            coin=digest("genesis coin", run, *sorted(members)),
            head=digest("genesis head", run, *sorted(members)),
        )

    @property
    def place(self) -> bytes:
        """Run, step and attempt, 44 bytes: in what a peer derives for one attempt of its own secret."""
        return self.run + self.step.to_bytes(8, "little") + self.attempt.to_bytes(4, "little")

    @property
    def has_majority(self) -> bool:
        """Whether enough of the roster takes part for the attempt's outcome to bind the rest."""
        return 2 * len(self.participants) > len(self.members)

    def miss(self, peer: PeerId, reason: Cause) -> Removal:
        """The removal of a peer that missed the step: its seat ends at the last allowed strike.

        A miss counts twice if a validator was to examine the peer, so that nobody dodges that for long."""
        earlier = sum(1 for who, step in self.strikes if who == peer and self._recent(step))
        struck_out = earlier + self._weight(peer) >= self.config.strikes
        return Removal(peer, LEAVE if struck_out else MISS, reason)

    def _weight(self, peer: PeerId) -> int:
        return 2 if any(target == peer for _, target in self.pairs) else 1

    def _recent(self, step: int) -> bool:
        return step > self.step - self.config.strike_window

    def after(self, record: Record, finished: Finished | None) -> RosterState:
        """The state after a certified record; `finished` belongs to a STEP record, None to an ABORT."""
        gone = {r.peer for r in record.removals if r.kind in (BAN, LEAVE)}
        missed = [PeerId(r.peer) for r in record.removals if r.kind == MISS]
        relays = {(a, b): until for a, b, until in self.relays if until > self.step}
        for sender, receiver, _ in record.relays:
            relays[PeerId(sender), PeerId(receiver)] = self.step + self.config.relay_steps
        common = replace(
            self,
            head=record.digest,
            index=self.index + 1,
            members=tuple(p for p in self.members if p not in gone),
            strikes=tuple(s for s in self.strikes if self._recent(s[1]) and s[0] not in gone)
            + tuple((p, self.step) for p in missed for _ in range(self._weight(p))),
            relays=tuple(sorted((a, b, until) for (a, b), until in relays.items() if not {a, b} & gone)),
            excluded=tuple(p for p in self.excluded if p not in gone),
        )
        if record.kind == ABORT:
            return replace(
                common,
                attempt=self.attempt + 1,
                excluded=tuple(sorted({*common.excluded, *missed})),
                witnessed=() if record.removals else tuple(sorted({*self.witnessed, *record.relays})),
                pairs=tuple(pair for pair in self.pairs if not gone & set(pair)),
            )
        assert record.kind == STEP
        assert finished is not None
        return replace(
            common,
            step=self.step + 1,
            attempt=0,
            excluded=(),
            coin=record.coin,
            pairs=draw_pairs(
                record.coin, [p for p in finished.participants if p not in gone], self.config.validators
            ),
            finished=finished,
            witnessed=(),
        )


def draw_pairs(
    coin: bytes, participants: Sequence[PeerId], validators: int
) -> tuple[tuple[PeerId, PeerId], ...]:
    """Disjoint (validator, target) pairs from r_t, drawn after every gradient of step t is committed.

    At most floor(n / 2) pairs fit. Deviation from the paper: validators go on contributing
    gradients (`protocols/decisions/0003`)."""
    order = Draw(coin, "validators").shuffle(tuple(participants))
    return tuple(zip(order[::2], order[1::2], strict=False))[:validators]
