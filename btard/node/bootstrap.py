"""A bootstrap process: the first node of the directory, and the announcement of one run."""

from __future__ import annotations

import asyncio

from btard.network import DhtDirectory
from btard.node.key import hold_key
from btard.node.options import BootstrapOptions
from btard.node.rendezvous import form_roster, publish_run
from btard.run.events import Announced, Emit, Gathered


async def run_bootstrap(options: BootstrapOptions, *, emit: Emit) -> None:
    """Announce the run, fix its roster, and keep the directory up until cancelled.

    `emit` gets `Announced`, then a `Gathered` each time that the number of peers changes.
    Raises BtardError if the key or the address cannot be used."""
    options.check()
    config = options.config
    with hold_key(options.key) as identity:
        directory = await DhtDirectory.create(
            identity, host=options.host, port=options.port, announce=options.announce
        )
        try:
            await publish_run(directory, config)
            emit(Announced(run=config.digest.hex(), addresses=directory.addresses))
            await form_roster(
                directory,
                identity,
                config,
                lambda present: emit(Gathered(present=present, seats=config.peers)),
            )
            await asyncio.Event().wait()
        finally:
            await directory.close()
