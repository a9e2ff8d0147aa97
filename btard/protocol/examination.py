"""Examination: what a peer finds false, of which it accuses others, and how it votes on a disputed case.

The rules of it are `verification.py` (what is false) and `accusation.py` (which cases there are, and what a
vote means); here they meet the effects and blobs of one attempt.
"""

from __future__ import annotations

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
from btard.protocol.tolerance import ACCUSE_FACTOR
from btard.types import Digest, Scalars


def on_wire(scalars: Scalars) -> messages.PartScalars:
    """Return scalars as they are published."""
    return messages.PartScalars(scalars.projections, scalars.norm, scalars.center)


class Examination:
    """What the peer in seat `me` examines in one attempt. `secret` (32 bytes) is the entropy of its salt."""

    def __init__(
        self, seating: Seating, me: int | None, secret: bytes, blobs: Blobs, results: Results
    ) -> None:
        self._seating = seating
        self._peers = seating.participants
        self._tau = seating.state.config.tau
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

    def accusations(self, agreed: Agreed) -> tuple[messages.Accusation, ...] | None:
        """Return whom this peer accuses, None while it is at work."""
        found = self._rows_found_false(agreed)
        if found is None:
            return None
        if self._pair is not None and self._pair[0] == self._me:
            target = self._pair[1]
            recomputed = self._recompute(target)
            if recomputed is None:
                return None
            if verification.gradient_is_false(self._earlier(target), recomputed, self._tau, ACCUSE_FACTOR):
                found.append(messages.Accusation(accusation.GRADIENT, target))
        return tuple(found)

    def _rows_found_false(self, agreed: Agreed) -> list[messages.Accusation] | None:
        part = self._seating.part_of(self._me)
        if part is None:
            return []
        rows = self._results.of(self._project_rows(agreed, part))
        if rows is None:
            return None
        published = agreed.sets[SCALARS]
        return [
            messages.Accusation(accusation.ROW, seat)
            for seat, true in enumerate(rows)
            if seat != self._me
            and true is not None
            and verification.row_is_false(published[seat].parts[part], true, self._tau, ACCUSE_FACTOR)
        ]

    # ------------------------------------------------------------ disputed cases

    def evidence(self, agreed: Agreed) -> tuple[Digest, ...]:
        """Return the rows that this peer owes everybody: its part is averaged again (CheckAveraging)."""
        cases = disputed(self._seating, agreed.sets)
        own = [case for case in cases if case.kind == accusation.AVERAGING and case.target == self._me]
        return tuple(name for case in own for name in agreed.rows(self._part(case.target)))

    def verdicts(self, agreed: Agreed, late: bool) -> tuple[messages.Vote, ...] | None:
        """Return one vote per case, None while evidence may still arrive."""
        votes = [self._judge(agreed, case, late) for case in disputed(self._seating, agreed.sets)]
        done = tuple(vote for vote in votes if vote is not None)
        return done if len(done) == len(votes) else None

    def lacking(self, agreed: Agreed) -> list[Digest]:
        """Return the rows of disputed cases that have not come."""
        names: list[Digest] = []
        for case in disputed(self._seating, agreed.sets):
            if case.kind == accusation.ROW:
                names.append(agreed.rows(self._part(case.accuser))[case.target])
            elif case.kind == accusation.AVERAGING:
                names += agreed.rows(self._part(case.target))
        return [name for name in names if not self._blobs.knows(name)]

    def _judge(self, agreed: Agreed, case: Case, late: bool) -> messages.Vote | None:
        sets, parts = agreed.sets, self._seating.parts
        if case.kind == accusation.ROW:
            part = self._part(case.accuser)
            name = agreed.rows(part)[case.target]
            published = sets[SCALARS][case.target].parts[part]
            if not self._blobs.fits(name, part, parts):
                return accusation.judge_row(case, published, None, self._tau) if late else None
            rows = self._results.of(self._project_rows(agreed, part, case.target))
            return None if rows is None else accusation.judge_row(case, published, rows[0], self._tau)
        if case.kind == accusation.GRADIENT:
            true = self._recompute(case.target)
            said = self._earlier(case.target)
            return None if true is None else accusation.judge_gradient(case, said, true, self._tau)
        if case.kind == accusation.FINGERPRINT:
            gradient = self._results.of(self._fingerprint_effect(agreed, case.target))
            return None if gradient is None else accusation.judge_fingerprint(case, sets[ACCUSE], gradient)
        part = self._part(case.target)
        held = all(self._blobs.fits(name, part, parts) for name in agreed.rows(part))
        if not held and not late:
            return None
        rows = self._results.of(self._project_rows(agreed, part))
        if rows is None:
            return None
        column = [said.parts[part] for said in sets[SCALARS]]
        return accusation.judge_averaging(case, column, rows, self._seating.state.config)

    def _part(self, seat: int) -> int:
        part = self._seating.part_of(seat)
        assert part is not None, "only an aggregator accuses of a row, or is averaged again"
        return part

    def _project_rows(self, agreed: Agreed, part: int, row: int | None = None) -> ProjectRows:
        rows = agreed.rows(part)
        return ProjectRows(
            part=part,
            parts=self._seating.parts,
            rows=rows if row is None else (rows[row],),
            aggregate=agreed.aggregates[part],
            coin=agreed.coin,
            tau=self._tau,
        )

    # ------------------------------------------------------------ the gradients of the step before

    @property
    def _past(self) -> Finished:
        past = self._seating.state.finished
        assert past is not None, "pairs are drawn for a finished step"
        return past

    def _recompute(self, target: int) -> Recomputed | None:
        past = self._past
        seed = gradient_seed(past.seed_coin, self._peers[target])
        return self._results.of(Recompute(past.step, seed, past.aggregates, past.coin, self._tau))

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
