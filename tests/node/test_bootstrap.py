"""A bootstrap process: each starts a run of its own, whatever was started before with its key and plan."""

from __future__ import annotations

import asyncio
from pathlib import Path

from btard.network import peer_of
from btard.node.bootstrap import run_bootstrap
from btard.node.options import BootstrapOptions
from btard.run.events import Announced, Event
from tests.node.nodes import a_plan


async def announced(key: Path) -> Announced:
    """Start a bootstrap, and end it as soon as it has announced its run."""
    options = BootstrapOptions(a_plan(), key, host="127.0.0.1")
    told: asyncio.Future[Announced] = asyncio.get_running_loop().create_future()

    def emit(event: Event) -> None:
        if isinstance(event, Announced) and not told.done():
            told.set_result(event)

    bootstrap = asyncio.ensure_future(run_bootstrap(options, emit=emit))
    await asyncio.wait({bootstrap, told}, return_when=asyncio.FIRST_COMPLETED)
    bootstrap.cancel()
    await asyncio.wait({bootstrap})
    return told.result()


async def test_a_bootstrap_that_is_started_again_announces_another_run(tmp_path: Path) -> None:
    first, second = [await announced(tmp_path / "bootstrap.key") for _ in range(2)]
    assert peer_of(first.addresses[0]) == peer_of(second.addresses[0])
    assert first.run != second.run
