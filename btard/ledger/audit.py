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

from safetensors import SafetensorError, safe_open

from btard.codec import FP32
from btard.crypto import Draw
from btard.errors import ConfigurationError, LedgerError
from btard.ledger.directory import CHECKPOINTS
from btard.ledger.reader import FILE_NAME, LedgerReader
from btard.machine import Recomputed
from btard.parts import windows
from btard.protocol.ledger import Checked, replay
from btard.protocol.messages import REVEAL, SCALARS, PartScalars
from btard.protocol.record import BAN, LEAVE, STEP, Entry
from btard.protocol.state import Finished, gradient_seed
from btard.protocol.verification import gradient_is_false
from btard.run.config import RunConfig
from btard.training.checkpoints import Checkpoint, load_checkpoint
from btard.training.engine import Engine
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
    were asked for."""

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

    @property
    def bans(self) -> tuple[LostSeat, ...]:
        """The seats that ended for proven misbehaviour."""
        return tuple(lost for lost in self.lost_seats if lost.kind == BAN)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A step whose gradients can be computed again: record `index` ended it."""

    index: int
    finished: Finished
    model: Digest


def audit(run_dir: Path, recompute: int = 0, progress: Progress = lambda what, done, of: None) -> AuditReport:
    """Verify `run_dir`'s ledger from genesis to head, and recompute `recompute` gradients of it.

    Which ones is drawn from the ledger's head, so that nobody knew while they were made. Raises LedgerError,
    naming the record, where anything doesn't hold; ConfigurationError where gradients can't be recomputed
    here."""
    if recompute < 0:
        raise ConfigurationError(f"{recompute} gradients can't be recomputed: give a number of at least 0")
    path = run_dir / FILE_NAME
    if not path.is_file():
        raise LedgerError(f"there is no ledger {path}: give the directory of a run")
    files = _checkpoints(run_dir / CHECKPOINTS) if recompute else {}
    with LedgerReader(path) as reader:
        config, genesis = reader.header.open()
        tally = _Tally(files)
        state = genesis
        for checked in replay(genesis, _followed(reader, progress)):
            tally.take(checked)
            state = checked.state
    sample = _draw(tally.steps, state.head, recompute) if recompute else ()
    if sample:
        _recompute(config, sample, files, tally, progress)
    return AuditReport(
        run=genesis.run,
        head=state.head,
        founders=len(genesis.members),
        members=len(state.members),
        lost_seats=tuple(tally.lost),
        recomputed=tuple((each.finished.step, peer) for each, peer in sample),
        to_recompute=recompute,
        **tally.count,
    )


def _followed(reader: LedgerReader, progress: Progress) -> Iterator[Entry]:
    progress("ledger", reader.position, reader.size_bytes)
    for entry in reader:
        yield entry
        progress("ledger", reader.position, reader.size_bytes)


class _Tally:
    """Counts what holds, and keeps what recomputation needs of the steps whose checkpoints are there."""

    def __init__(self, files: dict[int, Path]) -> None:
        self.count: Counter[str] = Counter()
        self.lost: list[LostSeat] = []
        self.steps: list[_Sampled] = []
        self.models: dict[int, Digest] = {}
        self._files = files

    def take(self, checked: Checked) -> None:
        """One more record that holds."""
        record, count = checked.record, self.count
        count["records"] += 1
        count["steps" if record.kind == STEP else "aborts"] += 1
        count["disputes"] += record.disputed
        count["endorsed"] += not checked.derived
        count["signatures"] += checked.signatures
        count["coins"] += REVEAL in checked.sets
        count["projections"] += sum(
            len(part.projections)
            for said in checked.sets.get(SCALARS, ())
            if said is not None
            for part in said.parts
        )
        for removal in record.removals:
            if removal.kind in (BAN, LEAVE):
                self.lost.append(
                    LostSeat(PeerId(removal.peer), record.index, record.step, removal.kind, removal.reason)
                )
            else:
                count["misses"] += 1
        if record.kind == STEP:
            self._keep(checked)

    def _keep(self, checked: Checked) -> None:
        step, done = checked.record.step, checked.state.finished
        assert done is not None
        if step + 1 in self._files:
            model = Digest(checked.record.model)
            self.models[step + 1] = model
            if step == 0 or step in self._files:
                self.steps.append(_Sampled(checked.record.index, done, model))


# ---------------------------------------------------------------- recomputing gradients


def _checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoint of each step, by what the files say of themselves."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                step = (file.metadata() or {}).get("step", "")
        except (OSError, SafetensorError) as error:
            raise ConfigurationError(
                f"cannot read the checkpoint {path}: move it away or restore it"
            ) from error
        if step.isascii() and step.isdigit():
            found[int(step)] = path
    return found


def _draw(steps: list[_Sampled], head: Digest, count: int) -> tuple[tuple[_Sampled, PeerId], ...]:
    """`count` gradients (all, where there are fewer), in the order of their steps."""
    gradients = [(each, peer) for each in steps for peer in each.finished.participants]
    if not gradients:
        raise ConfigurationError(
            "no gradient of this run can be recomputed: that takes checkpoints of two successive steps"
        )
    chosen = Draw(head, "audit").shuffle(range(len(gradients)))[:count]
    return tuple(gradients[k] for k in sorted(chosen))


def _recompute(
    config: RunConfig,
    sample: tuple[tuple[_Sampled, PeerId], ...],
    files: dict[int, Path],
    tally: _Tally,
    progress: Progress,
) -> None:
    """Compare each sampled gradient with what its owner published of it."""
    store, engine = _engine(config)
    banned = {lost.peer: lost.index for lost in tally.lost if lost.kind == BAN}
    at: int | None = None
    for done, (sampled, peer) in enumerate(sample):
        progress("gradients", done, len(sample))
        past = sampled.finished
        if at != past.step:
            at = past.step
            _place(engine, store, sampled, files, tally.models)
        seed = gradient_seed(past.seed_coin, peer)
        tau = config.protocol.tau
        true = Recomputed(*engine.recompute(past.step, seed, past.aggregates, past.coin, tau))
        said = [
            PartScalars(s.projections, s.norm, s.center) for s in past.scalars[past.participants.index(peer)]
        ]
        if gradient_is_false(said, true, tau) and banned.get(peer, -1) < sampled.index:
            raise LedgerError(
                f"record {sampled.index} of the ledger does not hold: the gradient that peer {short(peer)} "
                f"published in step {past.step} is not the one that it owed, and it was not banned for it"
            )
    progress("gradients", len(sample), len(sample))


def _engine(config: RunConfig) -> tuple[BlobStore, Engine]:
    """The run's engine at x_0, with room for the aggregates of one step."""
    store = BlobStore(capacity_bytes=1)
    engine = config.engine(store)
    store.resize(2 * FP32.size_bytes(engine.dimension))
    return store, engine


def _place(
    engine: Engine, store: BlobStore, sampled: _Sampled, files: dict[int, Path], models: dict[int, Digest]
) -> None:
    """Bring the engine to x_t, and the aggregates of step t into its store."""
    step = sampled.finished.step
    if step > 0:
        engine.restore(_certified(files[step], models.get(step), step))
    after = _certified(files[step + 1], sampled.model, step + 1)
    parts = len(sampled.finished.aggregates)
    vector = after.aggregate
    if vector is None or vector.numel() != engine.dimension:
        raise LedgerError(f"the checkpoint {files[step + 1]} lacks the aggregate of step {step}: restore it")
    store.retain(())
    names = tuple(
        store.put(FP32.encode(vector[a : a + size])) for a, size in windows(engine.dimension, parts)
    )
    if names != sampled.finished.aggregates:
        raise LedgerError(
            f"record {sampled.index} of the ledger and the checkpoint {files[step + 1]} disagree: "
            f"the aggregate of step {step} is another one"
        )


def _certified(path: Path, model: Digest | None, step: int) -> Checkpoint:
    """A checkpoint whose model the ledger certifies."""
    checkpoint = load_checkpoint(path)
    if checkpoint.model_digest != model:
        raise LedgerError(f"the checkpoint {path} is not the model that the ledger certifies for step {step}")
    return checkpoint
