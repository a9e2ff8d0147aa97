"""A bootstrap process: the first node of the directory, and the announcement of one run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from btard.crypto import Identity
from btard.network import DhtDirectory
from btard.node.options import BootstrapOptions
from btard.node.peer import ENTROPY
from btard.node.rendezvous import form_roster, publish_run


async def run_bootstrap(
    options: BootstrapOptions, *, ready: Callable[[str], None], seen: Callable[[int], None]
) -> None:
    """Announce the run, fix its roster, and keep the directory up until cancelled. `ready` gets the address
    for peers to join by, `seen` the number of peers that have come, each time it's looked up.

    Raises NetworkError where the port is taken."""
    identity = Identity.load_or_create(options.key, ENTROPY)
    directory = await DhtDirectory.create(identity, host=options.host, port=options.port)
    try:
        await publish_run(directory, options.config)
        ready(directory.addresses[0])
        await form_roster(directory, identity, options.config, seen)
        await asyncio.Event().wait()
    finally:
        await directory.close()
