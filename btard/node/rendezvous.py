"""How a run begins: the bootstrap publishes it, peers announce themselves, it fixes the first roster.

All under the bootstrap's key, which its address contains: whoever trusts the address knows the run. After
genesis the bootstrap has no say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from btard.crypto import Identity, digest
from btard.errors import ConfigurationError, HaltedError, NetworkError, RunMismatchError
from btard.ledger.header import LedgerHeader
from btard.network import Directory, PeerRecord
from btard.run.config import RunConfig
from btard.types import Digest, PeerId

RUN = "run"
GENESIS = "genesis"
POLL_S = 0.5


def shelf_of(bootstrap: PeerId) -> Digest:
    """The key under which a bootstrap's documents lie in the directory."""
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
    """Wait, as bootstrap with this identity, until enough peers have announced themselves; publish them as
    the first roster.

    If more came than there are seats, those that were seen first get them. A peer that has withdrawn or does
    not answer any more has no seat."""
    order: dict[PeerId, None] = {}
    while True:
        present = await directory.present(config.digest)
        order.update(dict.fromkeys(sorted(present)))
        roster = tuple(peer for peer in order if peer in present)[: config.peers]
        seen(len(roster))
        if len(roster) == config.peers:
            break
        await asyncio.sleep(POLL_S)
    header = LedgerHeader.of(config, roster, identity)
    await directory.publish_document(shelf_of(directory.me), GENESIS, header.to_bytes())
    return header.members


async def find_run(
    directory: Directory, bootstrap: PeerId, expected: RunConfig | None, timeout_s: float
) -> RunConfig:
    """The run that a bootstrap has announced. Raises NetworkError where there's none within `timeout_s`,
    RunMismatchError where it isn't the expected one."""
    raw = await _wait_for(directory, bootstrap, RUN, timeout_s)
    if raw is None:
        raise NetworkError("the bootstrap answers but has announced no run: start it with `btard bootstrap`")
    config = RunConfig.from_bytes(raw)
    if expected is not None and expected != config:
        differing = "; ".join(expected.differences(config))
        raise RunMismatchError(
            f"the run has another configuration: {differing}; use the run's values to join"
        )
    return config


async def find_genesis(
    directory: Directory, bootstrap: PeerId, config: RunConfig, timeout_s: float
) -> tuple[LedgerHeader, dict[PeerId, PeerRecord]]:
    """The ledger's header, which names the first roster, and the records of its members.

    Raises HaltedError where this peer has no seat in it, NetworkError where it or a record doesn't
    appear within `timeout_s`."""
    raw = await _wait_for(directory, bootstrap, GENESIS, timeout_s)
    if raw is None:
        raise NetworkError(
            f"the run has not begun within {timeout_s:.0f} s: it waits for {config.peers} peers to join"
        )
    header = LedgerHeader.from_bytes(raw)
    found, _ = header.open()
    if found != config or header.bootstrap != bootstrap:
        raise ConfigurationError("the bootstrap began another run than it announced: ask who runs it")
    if directory.me not in header.members:
        raise HaltedError("the run has begun without this peer: join before all its seats are taken")
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        records = await directory.members(config.digest)
        missing = [peer for peer in header.members if peer not in records]
        if not missing:
            return header, {peer: records[peer] for peer in header.members}
        if asyncio.get_running_loop().time() > deadline:
            raise NetworkError(
                f"{len(missing)} peers of the roster have no address in the directory: try again"
            )
        await asyncio.sleep(POLL_S)


async def _wait_for(directory: Directory, bootstrap: PeerId, name: str, timeout_s: float) -> bytes | None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while (raw := await directory.document(shelf_of(bootstrap), name, bootstrap)) is None:
        if asyncio.get_running_loop().time() > deadline:
            return None
        await asyncio.sleep(POLL_S)
    return raw
