"""What an onlooker with all data knows about each step: true gradients, rows and scalars, the true model.

Its engine follows the ledger from x_0, by the aggregates that the records name. It is asked once a step, by
whichever checker comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from btard.codec import FP32
from btard.errors import LedgerError
from btard.machine import Recomputed
from btard.node.driver import Work
from btard.protocol.agreed import Seating, Sets
from btard.protocol.ledger import check_entry
from btard.protocol.outputs import Recorded
from btard.protocol.record import CLOSE, NOTHING, STEP
from btard.protocol.state import RosterState, gradient_seed
from btard.simulation.checker import Scene
from btard.simulation.host import Host
from btard.simulation.task import recipe
from btard.training import BlobStore, Engine
from btard.types import Digest, PeerId, Scalars


@dataclass(frozen=True, slots=True)
class Step:
    """A step that the ledger has made, or its close, from the state `before`, with what its peers agreed on.
    `rows` are the committed vectors by part and seat, None if nobody has one; `aggregates` what was applied,
    by part. `gradients` are the digests that each participant owed, by seat; `model` the digest that it leads
    to, zero at the close, which has no parts. `examined` has what each target of a pair (validator, target)
    owed in the step before, with its fingerprint on this step's coin."""

    step: int
    before: RosterState
    sets: Sets
    coin: bytes
    rows: tuple[tuple[Tensor | None, ...], ...]
    aggregates: tuple[Tensor, ...]
    gradients: tuple[tuple[Digest, ...], ...]
    model: Digest
    examined: dict[tuple[PeerId, PeerId], tuple[Recomputed, Scalars]]

    @property
    def seating(self) -> Seating:
        """Who took part."""
        return Seating(self.before)


class Reference:
    """Follows the honest ledger of one run."""

    def __init__(self) -> None:
        self._engine = Engine(recipe(), BlobStore(2**24), bytes(32))
        self._found: dict[int, Step | str] = {}

    def steps(self, scene: Scene, host: Host, work: Work) -> Iterator[tuple[Recorded, Step | str]]:
        """Yield the steps among what an honest host has just recorded, if it is the first to do so; in place
        of a step, what is wrong with the record."""
        for recorded in work.outputs if host.honest else ():
            if not isinstance(recorded, Recorded) or recorded.entry.record.kind not in (STEP, CLOSE):
                continue
            index = recorded.entry.record.index
            if index >= len(scene.records) or scene.records[index] is not recorded:
                continue
            if index not in self._found:
                self._found[index] = self._step(scene, host, recorded)
            yield recorded, self._found[index]

    def _step(self, scene: Scene, host: Host, recorded: Recorded) -> Step | str:
        entry = recorded.entry
        index, step = entry.record.index, entry.record.step
        before = scene.records[index - 1].state if index else scene.genesis
        try:
            checked = check_entry(before, entry)
        except LedgerError as error:
            return str(error)
        coin = entry.record.coin
        examined = dict(self._examined(before, coin))
        if entry.record.kind == CLOSE:
            return Step(step, before, checked.sets, coin, (), (), (), NOTHING, examined)
        done = checked.state.finished
        assert done is not None
        commitments = checked.sets["gradient"]

        def find(name: bytes) -> Tensor | None:
            data = scene.archive.get(Digest(name)) or host.driver.store.get(Digest(name))
            return None if data is None else FP32.decode(data)

        aggregates = [find(name) for name in done.aggregates]
        missing = [part for part, vector in enumerate(aggregates) if vector is None]
        if missing:
            return f"nobody has the aggregates of parts {missing}, which are applied"
        rows = tuple(
            tuple(find(said.parts[part]) for said in commitments) for part in range(len(done.aggregates))
        )
        seeds = [gradient_seed(before.coin, peer) for peer in before.participants]
        gradients = tuple(self._engine.gradient(step, seed, len(done.aggregates)) for seed in seeds)
        applied = tuple(vector for vector in aggregates if vector is not None)
        for vector in applied:
            self._engine.store.put(FP32.encode(vector))
        model = self._engine.update(step, done.aggregates)
        self._engine.adopt(step, done.aggregates)
        return Step(step, before, checked.sets, coin, rows, applied, gradients, model, examined)

    def _examined(
        self, before: RosterState, coin: bytes
    ) -> Iterator[tuple[tuple[PeerId, PeerId], tuple[Recomputed, Scalars]]]:
        past = before.finished
        for validator, target in before.pairs if past is not None else ():
            if past is None or validator not in before.participants:
                continue
            seed = gradient_seed(past.seed_coin, target)
            tau = before.config.part_tau(len(past.aggregates))
            owed = self._engine.recompute(past.step, seed, past.aggregates, past.coin, tau)
            print_ = self._engine.fingerprint(past.step, seed, coin)
            yield (validator, target), (Recomputed(*owed), print_)


def clipped_sum(rows: tuple[Tensor, ...], centre: Tensor, tau: float) -> float:
    """Return |sum_i (x_i - v) min(1, tau / |x_i - v|)|, in float64: 0 at the fixed point of CenteredClip."""
    total = torch.zeros(centre.numel(), dtype=torch.float64)
    for row in rows:
        difference = row.double() - centre.double()
        norm = float(difference.norm())
        total += difference * (1.0 if norm <= tau else tau / norm)
    return float(total.norm())
