"""A child of a local swarm: a command of its own, forked from a server, tied to its parent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from btard.run.events import Announced, Failed, read_event
from btard.swarm.children import Child


async def test_a_child_that_fails_says_why_as_an_event_and_in_its_last_words(tmp_path: Path) -> None:
    child = await Child.start(
        ("peer", "--join", "my.host:4000", "--key", str(tmp_path / "key"), "--no-out", "--json")
    )
    failed = read_event((await child.output.read()).decode().splitlines()[-1])
    assert isinstance(failed, Failed)
    assert await child.last_words() == f"btard: {failed.reason}"


async def test_a_child_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    child = await Child.start(
        (
            *("bootstrap", "--peers", "2", "--host", "127.0.0.1", "--key", str(tmp_path / "key")),
            *("--json", "--tied"),
        )
    )
    assert isinstance(read_event((await child.output.readline()).decode()), Announced)
    child.ask_to_end()
    await asyncio.gather(child.end(), child.output.read())
