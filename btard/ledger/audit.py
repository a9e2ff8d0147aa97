"""The audit of a run that somebody else has written down: all of its ledger, and a sample of its gradients.

Verifying the ledger takes its file alone. Recomputing gradients takes the run's task on this machine, and
the checkpoints x_t and x_(t+1) of a step t: the first gives the model, the second the aggregates, and
both are compared with what the ledger certifies before anything rests on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from btard.codec import FP32
from btard.crypto import Draw
from btard.errors import ConfigurationError, LedgerError
from btard.ledger.directory import CHECKPOINTS
from btard.ledger.reader import FILE_NAME, LedgerReader
from btard.machine import Recomputed
from btard.parts import windows
from btard.protocol.ledger import Checked, replay
from btard.protocol.messages import REVEAL, SCALARS, PartScalars
from btard.protocol.record import ABORT, BAN, MISS, STEP, Entry, Record
from btard.protocol.state import Finished, gradient_seed
from btard.protocol.verification import gradient_is_false
from btard.run.config import RunConfig
from btard.training.checkpoint_store import CheckpointStore
from btard.training.checkpoints import Checkpoint, load_checkpoint
from btard.training.store import BlobStore
from btard.types import Digest, PeerId, short

Progress = Callable[[str, int, int], None]
"""Called as work gets done: what is being done, how much of it is, of how much."""


@dataclass(frozen=True, slots=True)
class LostSeat:
    """A seat that ended, by record `index`: `kind` is BAN or LEAVE."""

    peer: PeerId
    index: int
    step: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found to hold.

    `head` is the digest of the last record: compare it with another member's, since no file can tell
    whether later records were cut off. `coins` were recomputed from their reveals, `projections` entered
    zero sums, `signatures` were verified. `endorsed` of the `disputes` rest on their endorsements alone.
    `recomputed` are (step, peer) of sampled gradients that were computed again; `to_recompute` how many
    were asked for. `closed` says that the run went through all its steps, and the last one's validation."""

    run: Digest
    head: Digest
    founders: int
    members: int
    records: int = 0
    steps: int = 0
    aborts: int = 0
    disputes: int = 0
    endorsed: int = 0
    misses: int = 0
    coins: int = 0
    projections: int = 0
    signatures: int = 0
    lost_seats: tuple[LostSeat, ...] = ()
    recomputed: tuple[tuple[int, PeerId], ...] = ()
    to_recompute: int = 0
    closed: bool = False

    @property
    def bans(self) -> tuple[LostSeat, ...]:
        """The seats that ended for proven misbehaviour."""
        return tuple(lost for lost in self.lost_seats if lost.kind == BAN)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A gradient to compute again: of `peer`, in the step that record `index` ended, which led to `model`."""

    index: int
    finished: Finished
    model: Digest
    peer: PeerId


def audit(
    run_dir: Path,
    recompute: int = 0,
    progress: Progress = lambda what, done, of: None,
    keep: Callable[[Record], None] = lambda record: None,
) -> AuditReport:
    """Verify `run_dir`'s ledger from genesis to head, and recompute `recompute` gradients of it. `keep` is
    called with each record that holds.

    Which ones is drawn from the ledger's head, so that nobody knew while they were made. Raises LedgerError,
    naming the record, if anything does not hold; ConfigurationError if gradients cannot be recomputed
    here."""
    if recompute < 0:
        raise ConfigurationError(f"{recompute} gradients cannot be recomputed: give a number of at least 0")
    path = run_dir / FILE_NAME
    if not path.is_file():
        raise ConfigurationError(f"there is no ledger {path}: give the directory of a run")
    files = CheckpointStore(run_dir / CHECKPOINTS).files() if recompute else {}
    count: Counter[str] = Counter()
    lost: list[LostSeat] = []
    models: dict[int, Digest] = {}
    gradients: list[_Sampled] = []
    with LedgerReader(path) as reader:
        config, genesis = reader.header.open()
        state = genesis
        for checked in replay(genesis, _followed(reader, progress)):
            record, state = checked.record, checked.state
            keep(record)
            count += Counter(_counts(checked))
            lost += (
                LostSeat(PeerId(r.peer), record.index, record.step, r.kind, r.reason)
                for r in record.removals
                if r.kind != MISS
            )
            if record.kind == STEP and record.step + 1 in files:
                model = models[record.step + 1] = Digest(record.model)
                done = state.finished
                assert done is not None
                if record.step == 0 or record.step in files:
                    gradients += (_Sampled(record.index, done, model, peer) for peer in done.participants)
    sample = _draw(gradients, state.head, recompute) if recompute else []
    if sample:
        banned = {each.peer: each.index for each in lost if each.kind == BAN}
        _recompute(config, sample, _Models(config, files, models), banned, progress)
    return AuditReport(
        run=genesis.run,
        head=state.head,
        founders=len(genesis.members),
        members=len(state.members),
        lost_seats=tuple(lost),
        recomputed=tuple((each.finished.step, each.peer) for each in sample),
        to_recompute=recompute,
        closed=state.closed,
        **count,
    )


def _followed(reader: LedgerReader, progress: Progress) -> Iterator[Entry]:
    progress("ledger", reader.position, reader.size_bytes)
    for entry in reader:
        yield entry
        progress("ledger", reader.position, reader.size_bytes)


def _counts(checked: Checked) -> dict[str, int]:
    """Return what a record that holds adds to the report."""
    record = checked.record
    return {
        "records": 1,
        "steps": record.kind == STEP,
        "aborts": record.kind == ABORT,
        "disputes": record.disputed,
        "endorsed": not checked.derived,
        "misses": sum(removal.kind == MISS for removal in record.removals),
        "coins": REVEAL in checked.sets,
        "projections": sum(
            len(part.projections)
            for said in checked.sets.get(SCALARS, ())
            if said is not None
            for part in said.parts
        ),
        "signatures": checked.signatures,
    }


# ---------------------------------------------------------------- recomputing gradients


def _draw(gradients: list[_Sampled], head: Digest, count: int) -> list[_Sampled]:
    """Return `count` gradients (all, if there are fewer), in the order of their steps."""
    if not gradients:
        raise ConfigurationError(
            "no gradient of this run can be recomputed: that takes checkpoints of two successive steps"
        )
    chosen = Draw(head, "audit").shuffle(range(len(gradients)))[:count]
    return [gradients[k] for k in sorted(chosen)]


def _recompute(
    config: RunConfig, sample: list[_Sampled], models: _Models, banned: dict[PeerId, int], progress: Progress
) -> None:
    """Compare each sampled gradient with what its owner published of it. `banned` has the record of each."""
    for done, sampled in enumerate(sample):
        progress("gradients", done, len(sample))
        past, peer = sampled.finished, sampled.peer
        if done == 0 or sample[done - 1].index != sampled.index:
            models.place(sampled)
        seed = gradient_seed(past.seed_coin, peer)
        tau = config.protocol.part_tau(len(past.aggregates))
        true = Recomputed(*models.engine.recompute(past.step, seed, past.aggregates, past.coin, tau))
        said = [
            PartScalars(s.projections, s.norm, s.center, s.row)
            for s in past.scalars[past.participants.index(peer)]
        ]
        if gradient_is_false(said, true, config.protocol) and banned.get(peer, -1) < sampled.index:
            raise LedgerError(
                f"record {sampled.index} of the ledger does not hold: the gradient that peer {short(peer)} "
                f"published in step {past.step} is not the one that it owed, and it was not banned for it"
            )
    progress("gradients", len(sample), len(sample))


class _Models:
    """The run's engine, brought to steps whose `files` are the `models` that the ledger certifies."""

    def __init__(self, config: RunConfig, files: dict[int, Path], models: dict[int, Digest]) -> None:
        self._store = BlobStore(capacity_bytes=1)
        self.engine = config.engine(self._store)
        self._store.resize(2 * FP32.size_bytes(self.engine.dimension))
        self._files = files
        self._models = models

    def place(self, sampled: _Sampled) -> None:
        """Bring the engine to x_t, and the aggregates of step t into its store."""
        step, aggregates = sampled.finished.step, sampled.finished.aggregates
        if step > 0:
            self.engine.restore(self._certified(step))
        vector, path = self._certified(step + 1).aggregate, self._files[step + 1]
        if vector is None or vector.numel() != self.engine.dimension:
            raise LedgerError(f"the checkpoint {path} lacks the aggregate of step {step}: restore it")
        self._store.retain(())
        parts = windows(self.engine.dimension, len(aggregates))
        mixed = self.engine.order.mix(vector)
        if aggregates != tuple(self._store.put(FP32.encode(mixed[a : a + size])) for a, size in parts):
            raise LedgerError(
                f"record {sampled.index} of the ledger and the checkpoint {path} disagree: "
                f"the aggregate of step {step} is another one"
            )

    def _certified(self, step: int) -> Checkpoint:
        path = self._files[step]
        checkpoint = load_checkpoint(path)
        if checkpoint.model_digest != self._models.get(step):
            raise LedgerError(
                f"the checkpoint {path} is not the model that the ledger certifies for step {step}"
            )
        return checkpoint
