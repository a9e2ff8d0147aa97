"""Examination: what a peer finds false, of which it accuses others, and how it votes on a disputed case.

The rules of it are `verification.py` (what is false) and `accusation.py` (which cases there are, and what a
vote means); here they meet the effects and blobs of one attempt.
"""

from __future__ import annotations

from collections.abc import Sequence

from btard.crypto import digest
from btard.machine import Fingerprint, ProjectRows, Recompute, Recomputed
from btard.protocol import accusation, messages, verification
from btard.protocol.accusation import Case, fingerprint_commitment
from btard.protocol.agreed import Agreed, Seating
from btard.protocol.blobs import Blobs
from btard.protocol.messages import ACCUSE, SCALARS
from btard.protocol.record import NOTHING
from btard.protocol.results import Results
from btard.protocol.rules import disputed
from btard.protocol.state import Finished, gradient_seed
from btard.protocol.suspicion import examiners
from btard.protocol.tolerance import ACCUSE_FACTOR
from btard.types import Digest, Scalars


def on_wire(scalars: Scalars) -> messages.PartScalars:
    """Return scalars as they are published."""
    return messages.PartScalars(scalars.projections, scalars.norm, scalars.center, scalars.row)


class Examination:
    """What the peer in seat `me` examines in one attempt. `secret` (32 bytes) is the entropy of its salt."""

    def __init__(
        self, seating: Seating, me: int | None, secret: bytes, blobs: Blobs, results: Results
    ) -> None:
        self._seating = seating
        self._peers = seating.everyone
        self._config = seating.state.config
        self._me = me
        self._secret = secret
        self._blobs = blobs
        self._results = results
        self._pair = next((pair for pair in seating.pairs if me in pair), None)

    # ------------------------------------------------------------ a peer's own findings

    def begin(self) -> None:
        """Ask for a validator's recomputation, in time for its accusation."""
        if self._pair is not None and self._pair[0] == self._me:
            self._recompute(self._pair[1])

    def promise(self, agreed: Agreed) -> Digest | None:
        """Return the commitment to the fingerprint of this peer's pair, zero if it has none."""
        if self._pair is None:
            return NOTHING
        fingerprint = self._fingerprint(agreed, self._pair[1])
        if fingerprint is None:
            return None
        assert self._me is not None
        return fingerprint_commitment(self._peers[self._me], fingerprint, self._salt())

    def opening(self, agreed: Agreed) -> tuple[messages.PartScalars | None, bytes]:
        """Return the fingerprint that was committed to, and its salt; zero without a pair."""
        if self._pair is None:
            return None, NOTHING
        return self._fingerprint(agreed, self._pair[1]), self._salt()

    def findings(
        self, agreed: Agreed, late: bool
    ) -> tuple[tuple[messages.Accusation, ...], tuple[int, ...]] | None:
        """Return whom this peer accuses, and the parts that it should examine and whose rows did not all
        come; None while it is at work, or rows may still arrive (`late`: no longer)."""
        assert self._me is not None
        own = self._seating.part_of(self._me)
        examined = [
            part for part, bench in examiners(self._seating, agreed.sets).items() if self._me in bench
        ]
        rows = {part: self._rows(agreed, part) for part in (*([] if own is None else [own]), *examined)}
        lacking = tuple(part for part in examined if not all(self._held(agreed, part)))
        target = self._pair[1] if self._pair is not None and self._pair[0] == self._me else None
        recomputed = None if target is None else self._recompute(target)
        if any(row is None for row in rows.values()) or (lacking and not late):
            return None
        if target is not None and recomputed is None:
            return None
        liars: dict[int, int] = {}  # one accusation ends a seat
        for part, scalars in rows.items():
            for seat in self._liars(agreed, part, scalars or {}):
                liars.setdefault(seat, part)
        found = [messages.Accusation(accusation.ROW, seat, part) for seat, part in sorted(liars.items())]
        if (
            target is not None
            and recomputed is not None
            and verification.gradient_is_false(self._earlier(target), recomputed, self._config, ACCUSE_FACTOR)
        ):
            found.append(messages.Accusation(accusation.GRADIENT, target, 0))
        return tuple(found), lacking

    def _rows(self, agreed: Agreed, part: int) -> dict[int, Scalars | None] | None:
        """Return the true scalars of the rows of `part` that are here, by seat; None while it is at work."""
        seats = [seat for seat, held in enumerate(self._held(agreed, part)) if held]
        true = self._results.of(self._project_rows(agreed, part, seats))
        return None if true is None else dict(zip(seats, true, strict=True))

    def _held(self, agreed: Agreed, part: int) -> list[bool]:
        parts = len(self._seating.aggregators)
        return [self._blobs.fits(name, part, parts) for name in agreed.rows(part)]

    def _liars(self, agreed: Agreed, part: int, rows: dict[int, Scalars | None]) -> list[int]:
        published = agreed.sets[SCALARS]
        tau = self._part_tau
        return [
            seat
            for seat, true in rows.items()
            if seat != self._me
            and true is not None
            and verification.row_is_false(published[seat].parts[part], true, tau, ACCUSE_FACTOR)
        ]

    # ------------------------------------------------------------ disputed cases

    def verdicts(self, agreed: Agreed, late: bool) -> tuple[messages.Vote, ...] | None:
        """Return one vote per case, None while evidence may still arrive."""
        votes = [self._judge(agreed, case, late) for case in disputed(self._seating, agreed.sets)]
        done = tuple(vote for vote in votes if vote is not None)
        return done if len(done) == len(votes) else None

    def lacking(self, agreed: Agreed) -> list[Digest]:
        """Return the rows of disputed cases that have not come."""
        rows = [case for case in disputed(self._seating, agreed.sets) if case.kind == accusation.ROW]
        names = [agreed.rows(case.part)[case.target] for case in rows]
        return [name for name in names if not self._blobs.knows(name)]

    def _judge(self, agreed: Agreed, case: Case, late: bool) -> messages.Vote | None:
        sets, config = agreed.sets, self._config
        if case.kind == accusation.ROW:
            published = sets[SCALARS][case.target].parts[case.part]
            if not self._held(agreed, case.part)[case.target]:
                return accusation.judge_row(case, published, None, self._part_tau) if late else None
            rows = self._results.of(self._project_rows(agreed, case.part, [case.target]))
            return None if rows is None else accusation.judge_row(case, published, rows[0], self._part_tau)
        if case.kind == accusation.GRADIENT:
            true = self._recompute(case.target)
            said = self._earlier(case.target)
            return None if true is None else accusation.judge_gradient(case, said, true, config)
        assert case.kind == accusation.FINGERPRINT, case
        gradient = self._results.of(self._fingerprint_effect(agreed, case.target))
        if gradient is None:
            return None
        return accusation.judge_fingerprint(case, sets[ACCUSE], gradient, config)

    def _project_rows(self, agreed: Agreed, part: int, seats: Sequence[int]) -> ProjectRows:
        rows = agreed.rows(part)
        return ProjectRows(
            part=part,
            parts=len(self._seating.aggregators),
            rows=tuple(rows[seat] for seat in seats),
            aggregate=agreed.aggregates[part],
            coin=agreed.coin,
            tau=self._part_tau,
        )

    @property
    def _part_tau(self) -> float:
        return self._config.part_tau(len(self._seating.aggregators))

    # ------------------------------------------------------------ the gradients of the step before

    @property
    def _past(self) -> Finished:
        past = self._seating.state.finished
        assert past is not None, "pairs are drawn for a finished step"
        return past

    def _recompute(self, target: int) -> Recomputed | None:
        past = self._past
        seed = gradient_seed(past.seed_coin, self._peers[target])
        tau = self._config.part_tau(len(past.aggregates))
        return self._results.of(Recompute(past.step, seed, past.aggregates, past.coin, tau))

    def _earlier(self, target: int) -> tuple[messages.PartScalars, ...]:
        published = self._past.scalars[self._past.participants.index(self._peers[target])]
        return tuple(on_wire(scalars) for scalars in published)

    def _fingerprint_effect(self, agreed: Agreed, target: int) -> Fingerprint:
        seed = gradient_seed(self._past.seed_coin, self._peers[target])
        return Fingerprint(self._past.step, seed, agreed.coin)

    def _fingerprint(self, agreed: Agreed, target: int) -> messages.PartScalars | None:
        result = self._results.of(self._fingerprint_effect(agreed, target))
        return None if result is None else on_wire(result)

    def _salt(self) -> bytes:
        return digest("own fingerprint salt", self._secret, self._seating.state.place)
