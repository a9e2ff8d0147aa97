"""Attack A7 on the directory of a run that is forming: junk keys, and records of invented peers."""

from __future__ import annotations

import asyncio

from btard.crypto import digest
from btard.network import DhtDirectory
from btard.network.discovery import document_key, members_key, seal_publication
from btard.network.record import seal_record
from btard.run.config import RunConfig
from tests.node.entrances import key, record_of

LASTING_S = 170.0
"""As long as any node takes: longer than what honest peers publish."""


async def flood(directory: DhtDirectory, config: RunConfig, number: int = 80) -> None:
    """Store so many of each, past the validator of the attacker's own node."""
    from hivemind.utils.timed_storage import get_dht_time

    assert directory._node is not None
    node = directory._node._kademlia
    node.protocol.record_validator = None
    until, me = get_dht_time() + LASTING_S, key(3)

    async def junk(which: int) -> None:
        run = digest("junk", which.to_bytes(4, "little"))
        value = seal_publication(me, run, "x", b"", until)
        await node.store(document_key(run, "x", me.peer), value, until, subkey=bytes(me.peer))

    async def invented(which: int) -> None:
        who = key(1000 + which)
        sealed = seal_record(who, record_of(who, config))
        value = seal_publication(who, config.digest, "", sealed, until)
        await node.store(members_key(config.digest), value, until, subkey=bytes(who.peer))

    for start in range(0, number, 20):
        await asyncio.gather(*map(junk, range(start, start + 20)))
        await asyncio.gather(*map(invented, range(start, start + 20)))
