"""Options that several commands share: one spelling, one meaning, one panel of the help.

Each option can also be given as BTARD_COMMAND_OPTION in the environment, e.g. BTARD_PEER_OUT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

PEERS_MAX = 64


def run(metavar: str, text: str, *names: str, **more: Any) -> Any:
    """Make an option of the panel "The run"."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel="The run", **more)


def network(metavar: str, text: str, *names: str, **more: Any) -> Any:
    """Make an option of the panel "Network"."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel="Network", **more)


def output(metavar: str | None, text: str, *names: str, **more: Any) -> Any:
    """Make an option of the panel "Output"."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel="Output", **more)


Task = Annotated[str, run("NAME", "The task to train, or module:attribute.")]
Peers = Annotated[int, run("N", "Seats of the first roster.", min=2, max=PEERS_MAX)]
Steps = Annotated[int | None, run("N", "Steps to train; by default the task's.", min=1)]
Validators = Annotated[int | None, run("N", "Peers examined in each step; by default a quarter.", min=0)]
Tau = Annotated[float | None, run("NORM", "Clipping radius; by default the task's.")]
Clip = Annotated[float | None, run("NORM", "Clip each gradient to this norm first (BTARD-Clipped-SGD).")]
Seed = Annotated[int, run("N", "The seed of the initial model and the batches.")]
Config = Annotated[Path | None, run("FILE", "The run's description, as --print-config wrote it.")]
Host = Annotated[str, network("IP", "The address to listen on; 0.0.0.0: all.")]
Port = Annotated[int, network("N", "The port to listen on; 0: a free one.", min=0, max=65535)]
Announce = Annotated[
    list[str] | None,
    network("HOST:PORT,...", "The addresses that others reach, if not this machine's own; repeatable."),
]
Key = Annotated[Path, output("PATH", "The key file: made if missing, never overwritten.")]
Overwrite = Annotated[bool, output(None, "Replace an earlier run in the directory.", "--overwrite")]
Json = Annotated[bool, output(None, "Print JSON, one object a line, for programs.", "--json")]
Tied = Annotated[bool, typer.Option("--tied", hidden=True, help="End when standard input ends.")]
