"""A local swarm with everything that a person sees of it: progress, table, figure, summary."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch
from rich.console import Console

from btard.console.figure import draw_run
from btard.console.progress import RunProgress, show_summary
from btard.errors import LedgerError
from btard.ledger.directory import RunDirectory
from btard.node.running import run
from btard.protocol.detection import chance_to_escape
from btard.run.report import EndReport, StepReport
from btard.swarm.in_process import run_in_process
from btard.swarm.processes import run_processes
from btard.swarm.spec import SwarmSpec
from btard.swarm.summary import peer_names, summarise


def run_swarm(
    spec: SwarmSpec,
    path: Path,
    *,
    in_process: bool,
    require_bans: bool,
    json_path: Path | None,
) -> bool:
    """Run it and show it; whether all went as it must. Raises BtardError where it could not run."""
    console = Console()
    config = spec.config
    console.print(_opening(spec), highlight=False, soft_wrap=True)
    reports: list[StepReport] = []
    began = time.monotonic()
    with (
        RunDirectory(path) as directory,
        RunProgress(console, config.steps, config.peers, peer_names(spec)) as progress,
    ):

        def emit(report: StepReport) -> None:
            reports.append(report)
            progress(report)

        ends: tuple[EndReport, ...]
        if in_process:
            torch.set_num_threads(1)  # tensors are small, and threads that wait for each other cost more
            ends = run_in_process(spec, directory, emit)
        else:
            ends = run(run_processes(spec, directory.path, emit=emit, say=progress.say))
    summary = summarise(spec, reports, ends, time.monotonic() - began)
    show_summary(console, summary)
    written = [directory.write_summary(summary.to_dict())]
    try:
        written.append(draw_run(summary, reports, directory.path / "figure.png"))
    except ImportError:
        console.print("no figure without matplotlib: pip install 'btard[figures]'", markup=False)
    if json_path is not None:
        _write(json_path, json.dumps(summary.to_dict(), indent=2) + "\n")
        written.append(json_path)
    console.print(f"wrote {', '.join(str(each) for each in written)}", highlight=False, soft_wrap=True)
    console.print(f"verify it all: btard audit {directory.path} --recompute 8", highlight=False)
    if require_bans and summary.seated_adversaries:
        console.print("[bold red]failed:[/] not every attacker was banned")
        return False
    return not summary.problems


def _opening(spec: SwarmSpec) -> str:
    config = spec.config
    text = f"{config.peers} peers, {config.steps} steps of {config.task}, tau {config.protocol.tau:g}"
    text += f", {config.protocol.validators} validators a step"
    if spec.byzantine:
        examined = config.steps - 1 - spec.attack_start
        chance = chance_to_escape(config.peers, len(spec.byzantine), config.protocol.validators, examined)
        kinds = ", ".join(term.text for term in spec.byzantine)
        text += f"\nByzantine from step {spec.attack_start} on: {kinds}"
        text += f"\nchance that one who sends false gradients is never caught: {chance:.1e}"
    return text


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise LedgerError(f"can't write {path} ({why}): choose another file") from error
