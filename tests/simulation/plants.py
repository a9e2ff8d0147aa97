"""Worlds with a planted bug, and what a test needs to plant one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from btard.adversary import Adversary
from btard.machine import Actions, Event
from btard.protocol.messages import AGGREGATE
from btard.protocol.outputs import Recorded
from btard.protocol.record import NOTHING
from btard.simulation import Scenario, World
from btard.simulation.host import Host
from btard.types import PeerId


def swarm(**what: object) -> World:
    """Five peers and three steps, unless the test says otherwise."""
    return World(Scenario(**{"seed": 3, "peers": 5, "steps": 3, **what}))  # type: ignore[arg-type]


def violated(world: World, *names: str) -> str:
    """Run a world, with these checkers alone if any are named; which one complains?"""
    if names:
        world.checkers = [each for each in world.checkers if each.name in names]
        assert {each.name for each in world.checkers} == {*names}
    outcome = world.run()
    assert outcome.violation is not None, "the planted bug went unnoticed"
    return outcome.violation.checker


def plant(host: Host, change: Callable[[Actions], None]) -> None:
    """Let `change` have each step of a host's machine before the world sees it."""
    handle = host.machine.handle

    def changed(event: Event, now: float) -> Actions:
        out = handle(event, now)
        change(out)
        return out

    host.machine.handle = changed  # type: ignore[method-assign]


def edit_records(change: Callable[[Recorded], Recorded]) -> Callable[[Actions], None]:
    """Return what changes each record that a machine puts out."""

    def edit(out: Actions) -> None:
        out.outputs = [change(each) if isinstance(each, Recorded) else each for each in out.outputs]

    return edit


def complaining_of(victim: PeerId) -> type[Adversary]:
    """Return the adversary that says in each attempt that the victim's part did not come."""

    @dataclass(kw_only=True, eq=False)
    class Complaining(Adversary):
        reasons: ClassVar[frozenset[str]] = frozenset({"unreachable"})

        def speak(self, phase: str, payload: Any) -> Any:
            peers = self.seating.participants
            if phase != AGGREGATE or victim not in peers or self.part is None:
                return payload
            return replace(payload, aggregate=NOTHING, missing=(peers.index(victim),))

    return Complaining
