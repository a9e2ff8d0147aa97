"""A run that was broken off, as one peer finds it on its disk: what it needs to go on with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from btard.adversary import Adversary
from btard.crypto import Identity
from btard.errors import ConfigurationError, HaltedError, LedgerError, RunMismatchError, cannot_write
from btard.ledger.directory import RunDirectory
from btard.ledger.history import History, applied, read_header, read_history
from btard.node.assembly import make_machine
from btard.node.journal import Journal, Segment, read_segments
from btard.node.kept_store import KeptStore
from btard.node.rebuilding import rebuild, resume_candidate
from btard.node.revival import Revived, revive
from btard.node.votes import VoteLog, votes_path
from btard.protocol.beginning import Beginning
from btard.protocol.peer import PeerMachine
from btard.run.config import RunConfig
from btard.training.engine import Engine
from btard.training.store import BlobStore


@dataclass(slots=True)
class Resumption:
    """The ledger of an earlier process of this peer, and its journal."""

    run_dir: RunDirectory
    history: History
    segments: list[Segment]

    def check(self, config: RunConfig) -> None:
        """Raise RunMismatchError if another run than this one is announced."""
        mine = self.history.config
        if config != mine:
            raise RunMismatchError(
                f"{self.run_dir.path} holds the run {mine.digest.hex()[:16]}, but the run "
                f"{config.digest.hex()[:16]} is announced: start the bootstrap with --resume, or join that "
                "run with another --out"
            )

    def describe(self, revived: Revived | None) -> str:
        """Return how this peer goes on, for people."""
        state = self.history.state if revived is None else revived.machine.state
        cut = "; a record that was cut off is taken back" if self.history.torn else ""
        return f"goes on with step {state.step}, attempt {state.attempt}, after {state.index} records{cut}"

    def revive(
        self, identity: Identity, engine: Engine, votes: VoteLog, adversary: Adversary | None
    ) -> Revived | None:
        """Return the machine that the earlier process was, and bring `engine` to its model. `votes` then
        holds back what that process held back.

        None if this cannot be done faithfully: then the engine is at the head of the ledger, and `votes`
        keeps this peer silent where it may have spoken. Raises BtardError if the model cannot be computed
        again."""
        history, store = self.history, engine.store
        assert isinstance(store, KeptStore)

        def make(beginning: Beginning, secret: bytes) -> PeerMachine:
            return make_machine(identity, secret, beginning, engine, adversary)

        revived = revive(identity.peer, self.segments, history.states, make, votes.before)
        if revived is not None:
            inventory = revived.machine.inventory
            if not all([store.fetch(name) for name in inventory]):
                revived = None
        steps = history.steps
        keep = () if revived is None else revived.machine.inventory
        if revived is not None:
            revived.unwritten = [r for r in revived.recorded if r.entry.record.index >= history.state.index]
            steps = [*steps, *(step for r in revived.unwritten if (step := applied(r)) is not None)]
            revived.unreported = [*history.recent, *revived.unwritten]
        rebuild(engine, store, self.run_dir.checkpoints, steps, keep)
        if revived is not None:
            resume_candidate(engine, revived)
            votes.vouch(self.segments[-1].silent)
        return revived


def open_run(run_dir: RunDirectory, identity: Identity, key: Path) -> Resumption:
    """Read the run in a directory that was taken up (`RunDirectory.resume`), and the journal beside `key`.

    Raises LedgerError if the ledger does not hold, HaltedError if this key has no seat in the run any more,
    ConfigurationError if the run is over."""
    header = read_header(run_dir.ledger)
    config, _ = header.open()
    segments = read_segments(votes_path(key, config.digest))
    last = max((event.index for event in run_dir.events()), default=-1)
    try:
        history = read_history(run_dir.ledger, {segment.index for segment in segments}, last + 1)
    except LedgerError as error:
        raise LedgerError(
            f"{run_dir.path} cannot be resumed: {error}; nothing was changed, restore the ledger"
        ) from error
    state = history.state
    if identity.peer not in header.members:
        raise ConfigurationError(
            f"{run_dir.path} holds the run of another key than {key}: give that peer's --key"
        )
    if identity.peer not in state.members:
        raise HaltedError(f"the run in {run_dir.path} has no seat for this peer any more: it lost it")
    if state.closed and not segments:
        raise ConfigurationError(f"the run in {run_dir.path} is over: export its model, or start another run")
    return Resumption(run_dir, history, segments)


def lacking(store: BlobStore, journal: Journal | None) -> ConfigurationError | None:
    """Return why this peer could not be resumed from here; None if it could, or is not to be."""
    failed = store.failed if isinstance(store, KeptStore) else None
    failed = failed or (None if journal is None else journal.failed)
    if failed is None:
        return None
    return ConfigurationError(cannot_write(Path(failed.filename or "a file"), failed, "directory"))
