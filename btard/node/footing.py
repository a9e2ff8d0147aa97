"""What a peer stands on when it takes part: ledger, vote log and journal, begun or those of an earlier
process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from btard.adversary import Adversary
from btard.crypto import Identity
from btard.ledger.directory import RunDirectory
from btard.ledger.file import LedgerFile
from btard.ledger.header import LedgerHeader
from btard.node.journal import Journal, delete_segments
from btard.node.resumption import Resumption
from btard.node.revival import Revived
from btard.node.votes import NOWHERE, VoteLog, votes_path
from btard.protocol.record import STEP
from btard.protocol.state import RosterState
from btard.run.config import RunConfig
from btard.training.engine import Engine

SECRET_BYTES = 32


@dataclass(slots=True)
class Footing:
    """`state` is what the peer begins with, or goes on with; `revived` the machine that it was, if it goes on
    with that. `secret` is the machine's. Without a run directory there is neither ledger nor journal."""

    state: RosterState
    secret: bytes
    votes: VoteLog
    ledger: LedgerFile | None = None
    journal: Journal | None = None
    revived: Revived | None = None

    def close(self, over: bool) -> None:
        """Close the logs. `over`: the run is over for this peer, and nobody needs its secret any more."""
        self.votes.close()
        if self.journal is not None:
            self.journal.close()
            if over:
                delete_segments(self.journal.base)

    @property
    def silence(self) -> str | None:
        """Return why this peer says nothing for now, for people; None if it speaks."""
        if self.votes.before == NOWHERE:
            return None
        step, attempt = self.votes.before
        return (
            f"this key has taken part in this run before, up to step {step}, attempt {attempt}: "
            "this peer signs nothing until that attempt has ended, for nobody may sign twice"
        )


def find_footing(
    identity: Identity,
    key: Path,
    config: RunConfig,
    header: LedgerHeader,
    engine: Engine,
    *,
    run_dir: RunDirectory | None = None,
    earlier: Resumption | None = None,
    adversary: Adversary | None = None,
    entropy: Callable[[int], bytes],
) -> Footing:
    """Begin the logs of a run, or take up those of an `earlier` process, whose model `engine` then has.
    `entropy(n)` returns n random bytes. Raises BtardError if the logs or the model cannot be had."""
    votes = VoteLog(votes_path(key, config.digest), config.digest, identity.peer)
    try:
        return _find(identity, config, header, engine, votes, run_dir, earlier, adversary, entropy)
    except BaseException:
        votes.close()
        raise


def _find(
    identity: Identity,
    config: RunConfig,
    header: LedgerHeader,
    engine: Engine,
    votes: VoteLog,
    run_dir: RunDirectory | None,
    earlier: Resumption | None,
    adversary: Adversary | None,
    entropy: Callable[[int], bytes],
) -> Footing:
    base = votes.path
    state = RosterState.genesis(config.digest, config.protocol, header.members, config.steps)
    footing = Footing(state, entropy(SECRET_BYTES), votes)
    if run_dir is None:
        return footing
    if earlier is None:
        footing.ledger = run_dir.create_ledger(header)
        footing.journal = Journal(base, footing.secret, votes.before)
        return footing
    history = earlier.history
    revived = earlier.revive(identity, engine, votes, adversary)
    footing.ledger = run_dir.resume_ledger(history.end, history.link)
    footing.state, footing.revived = history.state, revived
    if revived is not None:
        footing.state, footing.secret = revived.machine.state, revived.secret
    footing.journal = Journal(base, footing.secret, votes.before)
    if revived is not None:
        last = earlier.segments[-1]
        if last.index == revived.machine.beginning.state.index:
            footing.journal.go_on(last, revived.machine.beginning.state.step)
        elif not any(each.entry.record.kind == STEP for each in revived.unwritten):
            footing.journal.begin(revived.machine.beginning)
    return footing
