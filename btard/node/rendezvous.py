"""How a run begins: the bootstrap publishes it, peers announce themselves, it fixes the first roster.

All under the bootstrap's key, which its address contains: a peer that trusts the address knows the run. After
genesis the bootstrap has no say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from btard.crypto import Identity, digest
from btard.errors import ConfigurationError, HaltedError, NetworkError, RunMismatchError
from btard.ledger.header import LedgerHeader
from btard.network import Directory, PeerRecord
from btard.run.config import RunConfig, RunPlan
from btard.types import Digest, PeerId

RUN = "run"
GENESIS = "genesis"
POLL_S = 0.5
ADDRESSES_S = 20.0
"""How long to look for the addresses of the first roster. A peer that withdrew its address keeps nobody from
beginning: it counts as silent."""


def shelf_of(bootstrap: PeerId) -> Digest:
    """The key under which a bootstrap's run lies in the directory. Its roster lies under the run id: that of
    an earlier run may lie there still."""
    return digest("rendezvous", bootstrap)


async def publish_run(directory: Directory, config: RunConfig) -> None:
    """Announce a run, as bootstrap."""
    await directory.publish_document(shelf_of(directory.me), RUN, config.to_bytes())


async def form_roster(
    directory: Directory,
    identity: Identity,
    config: RunConfig,
    seen: Callable[[int], None] = lambda _: None,
) -> tuple[PeerId, ...]:
    """Wait, as bootstrap with this identity, until enough peers are there; publish them as the first roster.

    If more come than there are seats, those that were seen first get them. A peer that has withdrawn or does
    not answer any more has no seat. `seen` gets the number of seats taken when it changes."""
    order: dict[PeerId, None] = {}
    told = -1
    while True:
        present = await directory.present(config.digest)
        order.update(dict.fromkeys(sorted(present)))
        roster = tuple(peer for peer in order if peer in present)[: config.peers]
        if len(roster) != told:
            told = len(roster)
            seen(told)
        if len(roster) == config.peers:
            break
        await asyncio.sleep(POLL_S)
    header = LedgerHeader.of(config, roster, identity)
    await directory.publish_document(config.digest, GENESIS, header.to_bytes())
    return header.members


async def find_run(
    directory: Directory, bootstrap: PeerId, expected: RunPlan | None, timeout_s: float
) -> RunConfig:
    """Return the run that a bootstrap has announced, if this peer can still get a seat in it.

    Raises NetworkError if none is announced within `timeout_s`, RunMismatchError if it is of another plan
    than expected, HaltedError if it has begun without this peer."""
    raw = await _wait_for(directory, bootstrap, shelf_of(bootstrap), RUN, timeout_s)
    if raw is None:
        raise NetworkError("the bootstrap answers but has announced no run: start it with `btard bootstrap`")
    config = RunConfig.from_bytes(raw)
    if expected is not None and (differing := expected.differences(config)):
        raise RunMismatchError(
            f"the run has another configuration: {'; '.join(differing)}; use the run's values to join"
        )
    begun = await directory.document(config.digest, GENESIS, bootstrap)
    if begun is not None:
        await _seated(directory, bootstrap, config, begun)
    return config


async def find_genesis(
    directory: Directory, bootstrap: PeerId, config: RunConfig, timeout_s: float
) -> tuple[LedgerHeader, dict[PeerId, PeerRecord]]:
    """Return the ledger's header, which names the first roster, and the records of its members.

    Raises HaltedError if this peer has no seat in it, NetworkError if it does not appear within `timeout_s`,
    or if most members have no record."""
    raw = await _wait_for(directory, bootstrap, config.digest, GENESIS, timeout_s)
    if raw is None:
        raise NetworkError(
            f"the run has not begun within {timeout_s:.0f} s: it waits for {config.peers} peers to join"
        )
    header = await _seated(directory, bootstrap, config, raw)
    deadline = asyncio.get_running_loop().time() + ADDRESSES_S
    while True:
        there = await directory.members(config.digest)
        records = {peer: there[peer] for peer in header.members if peer in there}
        missing = len(header.members) - len(records)
        late = asyncio.get_running_loop().time() > deadline
        if not missing or (late and len(records) > missing):
            return header, records
        if late:
            raise NetworkError(
                f"{missing} of {config.peers} peers of the roster have no address in the directory: try again"
            )
        await asyncio.sleep(POLL_S)


async def _seated(directory: Directory, bootstrap: PeerId, config: RunConfig, raw: bytes) -> LedgerHeader:
    """Return the header in a genesis document, if it is this run's and this peer has a seat in it."""
    header = LedgerHeader.from_bytes(raw)
    found, _ = header.open()
    if found != config or header.bootstrap != bootstrap:
        raise ConfigurationError("the bootstrap began another run than it announced: ask who runs it")
    if directory.me not in header.members:
        present = await directory.present(config.digest)
        if any(peer in present for peer in header.members):
            raise HaltedError("the run has begun without this peer: join before all its seats are taken")
        raise HaltedError("the run is over: none of its peers is there any more, join another one")
    return header


async def _wait_for(
    directory: Directory, bootstrap: PeerId, shelf: Digest, name: str, timeout_s: float
) -> bytes | None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while (raw := await directory.document(shelf, name, bootstrap)) is None:
        if asyncio.get_running_loop().time() > deadline:
            return None
        await asyncio.sleep(POLL_S)
    return raw
