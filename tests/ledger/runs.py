"""The directory of a real run: its ledger as a peer wrote it, and the checkpoints of every step."""

from __future__ import annotations

import atexit
import resource
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from btard.ledger.file import LedgerFile
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FILE_NAME
from btard.protocol.record import Entry
from btard.run.config import RunPlan
from btard.training import register, save_checkpoint
from tests.cheats import Misdeed, misreports, performing
from tests.rig import CONFIG, Peer, Rig

PEERS, STEPS = 4, 4
register("quadratic", "tests.tasks:quadratic")


@cache
def recorded(
    misdeed: Misdeed = misreports, validators: int = CONFIG.validators
) -> tuple[Path, LedgerHeader, tuple[Entry, ...]]:
    """A run in which a peer cheats, and is banned in step 1: where it lies, its header, its entries.

    Not to be changed, but for files of other names."""
    protocol = replace(CONFIG, validators=validators)
    config = RunPlan.create("quadratic", steps=STEPS, peers=PEERS, protocol=protocol).begin(bytes(32))
    folder = Path(mkdtemp(prefix="btard-run-"))
    atexit.register(shutil.rmtree, folder)
    (folder / "checkpoints").mkdir()

    def keep(peer: Peer) -> None:
        if peer.seat == 0:
            checkpoint = peer.engine.checkpoint()
            save_checkpoint(checkpoint, folder / "checkpoints" / f"step-{checkpoint.step:06d}.safetensors")

    rig = Rig(
        PEERS,
        STEPS,
        config=protocol,
        run=config.digest,
        make_engine=config.engine,
        cheats={1: performing(misdeed)},
        adopted=keep,
    ).run()
    header = LedgerHeader.of(config, rig.genesis.members, bootstrap=rig.peers[0].identity)
    write(folder / FILE_NAME, header, rig.peers[0].entries)
    return folder, header, rig.peers[0].entries


def write(path: Path, header: LedgerHeader, entries: tuple[Entry, ...]) -> None:
    """Write a ledger as a peer does, whatever the entries say: all its digests are right."""
    path.unlink(missing_ok=True)
    with closing(LedgerFile(path, header)) as file:
        for entry in entries:
            file.append(entry)


def copied(folder: Path) -> Path:
    """A copy of the run that may be changed."""
    return Path(shutil.copytree(recorded()[0], folder / "run"))


@contextmanager
def disk_of(size_bytes: int) -> Iterator[None]:
    """Files cannot grow beyond this size: writing stops in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
