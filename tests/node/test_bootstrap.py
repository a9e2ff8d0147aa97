"""A bootstrap process: a run of its own each time, and newcomers that need nothing but its line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from btard.network import DhtDirectory
from btard.network.join import JoinLine
from btard.node.arrival import Arrival
from btard.node.bootstrap import run_bootstrap
from btard.node.options import BootstrapOptions
from btard.node.rendezvous import Roster, scope_of
from btard.run.admission import Invite, Open, allowing
from btard.run.events import Announced, Event, Gathered, Noted
from tests.network.rigs import DEADLINE_S, eventually
from tests.node.entrances import PATIENT, key, record_of
from tests.node.flood import flood
from tests.node.nodes import a_plan


@asynccontextmanager
async def bootstrap(path: Path, admission: object = None) -> AsyncIterator[list[Event]]:
    """A bootstrap that has announced its run, and its events."""
    plan = a_plan(peers=2).model_copy(update={"admission": admission or Open()})
    events: list[Event] = []
    options = BootstrapOptions(plan, path, host="127.0.0.1")
    running = asyncio.ensure_future(run_bootstrap(options, emit=events.append))
    try:
        await eventually(lambda: running.done() or any(isinstance(e, Announced) for e in events))
        yield events
    finally:
        running.cancel()
        await asyncio.wait({running})


def announced(events: list[Event]) -> Announced:
    return next(event for event in events if isinstance(event, Announced))


def noted(events: list[Event]) -> str:
    return " ".join(event.text for event in events if isinstance(event, Noted))


async def test_a_bootstrap_that_is_started_again_announces_another_run(tmp_path: Path) -> None:
    async with bootstrap(tmp_path / "bootstrap.key") as events:
        first = announced(events)
    async with bootstrap(tmp_path / "bootstrap.key") as events:
        second = announced(events)
    assert len({JoinLine.parse(each.addresses[0]).bootstrap for each in (first, second)}) == 1
    assert first.run != second.run


async def test_a_bootstrap_says_who_may_take_a_seat_and_what_an_open_run_risks(tmp_path: Path) -> None:
    for admission, words in (
        (Open(per_address=3), "anybody may take a seat, up to 3 from one address"),
        (Invite(), "seats are by invitation: `btard invite --run "),
        (allowing((key(2).peer, key(3).peer)), "2 keys may take a seat"),
    ):
        async with bootstrap(tmp_path / "bootstrap.key", admission) as events:
            assert words in noted(events)
            is_open = isinstance(admission, Open)
            assert ("somebody with many addresses can take most of them" in noted(events)) == is_open


async def test_newcomers_get_in_by_the_line_alone_while_the_directory_is_flooded(tmp_path: Path) -> None:
    """Attack A7, keys: it kept newcomers from finding the run, after three seconds."""
    async with bootstrap(tmp_path / "bootstrap.key") as events:
        line = JoinLine.parse(announced(events).addresses[0])

        def newcomer(number: int) -> Arrival:
            return Arrival(line, key(number), DEADLINE_S, lambda _: None, os.urandom, PATIENT)

        async def join(number: int) -> Roster:
            arrival = newcomer(number)
            config = await arrival.find_run(a_plan(peers=2))
            return await arrival.take_seat(
                config, record_of(key(number), config), None, lambda: None, lambda: None
            )

        seen = newcomer(9)
        config = await seen.find_run(None)
        assert seen.introduction is not None
        nodes = seen.introduction.directory
        scope = scope_of(config, line.bootstrap)
        mallory = await DhtDirectory.create(key(3), scope, initial_peers=nodes, host="127.0.0.1", nat=False)
        try:
            await flood(mallory, config)
            one, other = await asyncio.gather(join(2), join(4))
        finally:
            await mallory.close()
        assert one == other
        assert set(one[1]) == {key(2).peer, key(4).peer}
        assert [event.present for event in events if isinstance(event, Gathered)][-1] == 2
