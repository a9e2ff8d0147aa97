"""A local swarm with everything that a person sees of it: progress, table, figure, summary."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from btard.console.event_console import EventConsole, say_where
from btard.console.figure import draw_run
from btard.console.metrics import metrics_line
from btard.console.progress import printable
from btard.ledger.directory import RunDirectory
from btard.node.running import run
from btard.protocol.detection import chance_to_escape
from btard.protocol.record import BAN
from btard.run.events import AttemptEnded, Begun, Event, Noted
from btard.swarm.in_process import run_in_process
from btard.swarm.processes import run_processes
from btard.swarm.spec import SwarmSpec
from btard.swarm.summary import Summary, peer_names, summarise
from btard.tracking import Tracker, Tracking


def run_swarm(
    spec: SwarmSpec,
    path: Path,
    *,
    in_process: bool,
    require_bans: bool,
    json: bool = False,
    replace: bool = False,
    trackers: Sequence[Tracker] = (),
) -> bool:
    """Run the swarm and show it; return whether all went as it must. `json` prints the events of the first
    peer and how each peer ended, and nothing else. `trackers` get the events of the first peer. Raises
    BtardError if the swarm cannot run."""
    began = time.monotonic()
    begun: list[str] = []
    ended: list[AttemptEnded] = []
    with (
        EventConsole(json=json, names=peer_names(spec)) as console,
        Tracking(console, trackers) as tracking,
        RunDirectory.create(path, replace) as directory,
    ):
        for line in _opening(spec):
            console(Noted(text=line))

        def emit(event: Event) -> None:
            if isinstance(event, Begun):
                begun.append(event.run)
            elif isinstance(event, AttemptEnded):
                ended.append(event)
            tracking(event)

        if in_process:
            torch.set_num_threads(1)  # tensors are small, and threads that wait for each other cost more
            ends = run_in_process(spec, directory, emit)
        else:
            directory.close()  # the first peer's process writes there
            ends = run(run_processes(spec, path, emit=emit, phases=console.is_live))
        summary = summarise(spec, begun[0], ended, ends, time.monotonic() - began)
        directory.write_summary(summary.to_dict())
    figure = _draw(summary, ended, directory)
    failed = require_bans and bool(summary.seated_adversaries)
    if not json:
        _show(summary, directory, figure)
        if failed:
            Console().print("[bold red]failed:[/] not every attacker was banned")
    return not failed and not summary.problems


def _opening(spec: SwarmSpec) -> Iterator[str]:
    plan = spec.plan
    yield (
        f"{plan.peers} peers, {plan.steps} steps of {plan.task}, tau {plan.protocol.tau:g}, "
        f"{plan.protocol.validators} validators a step"
    )
    if spec.byzantine:
        examined = plan.steps - 1 - spec.attack_start
        chance = chance_to_escape(plan.peers, len(spec.byzantine), plan.protocol.validators, examined)
        kinds = ", ".join(term.text for term in spec.byzantine)
        yield f"Byzantine from step {spec.attack_start} on: {kinds}"
        yield f"probability that false gradients are never found: {chance:.1e}"


def _draw(summary: Summary, ended: list[AttemptEnded], directory: RunDirectory) -> str:
    try:
        with directory.writing():
            return str(draw_run(summary, ended, directory.figure))
    except ImportError:
        return "none without matplotlib: pip install 'btard[figures]'"


def _show(summary: Summary, directory: RunDirectory, figure: str) -> None:
    """Print the final table, a line a problem, and where the results lie."""
    console = Console()
    if summary.exits:
        columns = ("peer", "what it is", "outcome", "step", "reason")
        table = Table(*columns, title="Lost seats", title_justify="left", show_edge=False, pad_edge=False)
        for each in summary.exits:
            kind = each.byzantine or "[bold]honest[/]"
            word = "banned" if each.kind == BAN else "left"
            table.add_row(each.name.split(" ")[0], kind, word, str(each.step), printable(each.reason))
        console.print(table)
    score = ""
    if summary.metrics:
        score = f": {printable(metrics_line(summary.metrics))}"
    for line in (
        *(f"{name} still holds its seat" for name in summary.seated_adversaries),
        f"\n{summary.steps} steps in {summary.seconds:.1f} s{score}",
        f"model {summary.model_digest[:16]}, ledger {summary.ledger_digest[:16]}",
        f"sent by each honest peer, a step: {summary.control_bytes / 1e3:.1f} kB of messages and",
        f"{summary.tensor_bytes / 1e3:.1f} kB of tensors ({summary.bytes_ratio:.3f} x butterfly all-reduce)",
        *(f"[bold red]problem:[/] {printable(problem)}" for problem in summary.problems),
        f"  figure   {figure}",
    ):
        console.print(line, highlight=False, soft_wrap=True)
    say_where(console, directory)
