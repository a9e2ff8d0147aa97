"""A bootstrap process: the first node of the directory, and the announcement of one run."""

from __future__ import annotations

import asyncio

from btard.crypto import Identity
from btard.network import DhtDirectory
from btard.node.options import BootstrapOptions
from btard.node.peer import ENTROPY
from btard.node.rendezvous import form_roster, publish_run
from btard.run.events import Announced, Emit, Gathered


async def run_bootstrap(options: BootstrapOptions, *, emit: Emit) -> None:
    """Announce the run, fix its roster, and keep the directory up until cancelled.

    Raises NetworkError where the port is taken."""
    identity = Identity.load_or_create(options.key, ENTROPY)
    directory = await DhtDirectory.create(identity, host=options.host, port=options.port)
    try:
        await publish_run(directory, options.config)
        emit(Announced(run=options.config.digest.hex(), addresses=directory.addresses))
        told: list[int] = []

        def seen(present: int) -> None:
            if told[-1:] != [present]:
                told.append(present)
                emit(Gathered(present=present, seats=options.config.peers))

        await form_roster(directory, identity, options.config, seen)
        await asyncio.Event().wait()
    finally:
        await directory.close()
