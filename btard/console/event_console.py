"""The events of a run as a person reads them, or as JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from btard.console.progress import RunProgress, printable
from btard.errors import BtardError
from btard.ledger.directory import RunDirectory
from btard.run.events import (
    Announced,
    AttemptEnded,
    Begun,
    Ended,
    Event,
    Failed,
    FaultSeen,
    Gathered,
    InPhase,
    Noted,
    Stalled,
)


class EventConsole:
    """Call it with each event. A context manager around the run of a peer, a bootstrap or a local swarm.

    `json` prints each event as one line, and a BtardError that ends the run as `Failed`; events about the
    phase under way are printed with `phases` alone. `names` is for a local swarm, whose end is a summary: it
    maps keys (hex) to what people call the peers. `clock` gives seconds, from any origin."""

    def __init__(
        self,
        *,
        json: bool = False,
        phases: bool = False,
        names: Mapping[str, str] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._json = json
        self._phases = phases
        self._swarm = names is not None
        self._console = Console()
        self._progress = RunProgress(self._console, names or {}, clock)

    def __enter__(self) -> EventConsole:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._progress.stop()
        if self._json and isinstance(error, BtardError):
            self(Failed(reason=str(error)))

    @property
    def is_live(self) -> bool:
        """Whether somebody watches it on a terminal."""
        return not self._json and self._console.is_terminal

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if self._json:
            if isinstance(event, InPhase) and not self._phases:
                return
            sys.stdout.write(event.to_json() + "\n")
            sys.stdout.flush()
            return
        match event:
            case Noted():
                self._progress.say(printable(event.text))
            case Announced() if not self._swarm:
                self._progress.say(f"run {event.run[:16]}. Join it with\n")
                self._progress.say(f"    btard peer --join {event.addresses[0]}\n", whole=True)
            case Gathered():
                self._gathered(event)
            case Begun():
                self._begun(event)
            case Stalled():
                self._progress.stalled(event)
            case InPhase():
                self._progress.phase(event)
            case AttemptEnded():
                self._progress.ended(event)
            case FaultSeen():
                detail = f" ({printable(event.detail)})" if event.detail else ""
                self._progress.say(f"  {self._progress.name(event.peer)} misbehaved: {event.kind}{detail}")
            case Ended() if not self._swarm:
                self._ended(event)

    def _gathered(self, event: Gathered) -> None:
        if self._swarm:
            self._progress.start()
            self._progress.gathered(event.present, event.seats)
            return
        there = event.present == event.seats
        more = "the run begins; keep me running: peers find each other here" if there else "waiting"
        self._progress.say(f"{event.present} of {event.seats} peers are here: {more}")

    def _begun(self, event: Begun) -> None:
        peers = len(event.members)
        if self._swarm:
            self._progress.say(f"all {peers} peers are there: training begins")
        else:
            names = " ".join(member[:8] for member in event.members)
            self._progress.say(f"{peers} peers, {event.steps} steps of {event.task}: training begins")
            self._progress.say(f"this peer is {event.members[event.seat][:8]} of {names}")
        self._progress.start()
        self._progress.begin(event.steps, peers)

    def _ended(self, event: Ended) -> None:
        self._progress.stop()
        reason = printable(event.reason)
        if event.outcome != "finished":
            reason = f"[bold red]{reason}[/]"
        self._progress.say(
            f"{reason}: {event.steps} steps, model {event.model[:16]}, ledger {event.ledger[:16]}, "
            f"{(event.blob_bytes + event.control_bytes) / 1e6:.1f} MB sent"
        )
        if event.run_dir is None:
            self._progress.say("the model is not kept: name a directory with --out to keep it")
        else:
            say_where(self._console, RunDirectory(Path(event.run_dir)))


def say_where(console: Console, results: RunDirectory) -> None:
    """Print where the results of a run lie, and how to verify them."""
    for line in (
        f"  model    {results.model}",
        f"  ledger   {results.ledger}",
        f"  metrics  {results.metrics}",
        f"verify it all: btard audit {results.path} --recompute 8",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
