"""A bootstrap process: the first node of the directory, and the announcement of one run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from btard.network import DhtDirectory
from btard.node.key import hold_key
from btard.node.options import BootstrapOptions
from btard.node.rendezvous import form_roster, publish_run
from btard.run.config import NONCE_BYTES
from btard.run.events import Announced, Emit, Gathered


async def run_bootstrap(
    options: BootstrapOptions, *, emit: Emit, entropy: Callable[[int], bytes] = os.urandom
) -> None:
    """Announce a run of the plan, fix its roster, and keep the directory up until cancelled.

    The run's nonce is drawn here from `entropy` and kept nowhere: a bootstrap that is started again starts
    another run, so it never signs a second roster for one.
    `emit` gets `Announced`, then a `Gathered` each time that the number of peers changes.
    Raises BtardError if the key or the address cannot be used."""
    options.check()
    config = options.plan.begin(entropy(NONCE_BYTES))
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
