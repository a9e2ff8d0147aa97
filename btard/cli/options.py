"""Options that several commands share: one spelling, one meaning, one panel of the help.

Each option can also be given as BTARD_COMMAND_OPTION in the environment, e.g. BTARD_PEER_OUT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RUN = "The run"
NETWORK = "Network"
OUTPUT = "Output"

PEERS_MAX = 64

Task = Annotated[
    str, typer.Option(metavar="NAME", help="The task to train, or module:attribute.", rich_help_panel=RUN)
]
Peers = Annotated[
    int,
    typer.Option(min=2, max=PEERS_MAX, metavar="N", help="Seats of the first roster.", rich_help_panel=RUN),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Steps to train; by default the task's.", rich_help_panel=RUN),
]
Validators = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Peers examined in each step; by default a quarter of them.",
        rich_help_panel=RUN,
    ),
]
Tau = Annotated[
    float | None,
    typer.Option(metavar="NORM", help="Clipping radius; by default the task's.", rich_help_panel=RUN),
]
Clip = Annotated[
    float | None,
    typer.Option(
        metavar="NORM", help="Clip each gradient to this norm first (BTARD-Clipped-SGD).", rich_help_panel=RUN
    ),
]
Seed = Annotated[
    int, typer.Option(metavar="N", help="The seed of the initial model and the batches.", rich_help_panel=RUN)
]
Byzantine = Annotated[
    str,
    typer.Option(
        metavar="KIND[*K],...", help='Peers that misbehave: "alie(z=1.5)*2, ipm".', rich_help_panel=RUN
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The run's description, as --print-config wrote it.", rich_help_panel=RUN
    ),
]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="The device that trains: cpu, cuda:1, mps.", rich_help_panel=RUN)
]
Host = Annotated[
    str, typer.Option(metavar="IP", help="The address to listen on; 0.0.0.0: all.", rich_help_panel=NETWORK)
]
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65535, metavar="N", help="The port to listen on; 0: a free one.", rich_help_panel=NETWORK
    ),
]
Announce = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST:PORT,...",
        help="The addresses that others reach, if not this machine's own; repeatable.",
        rich_help_panel=NETWORK,
    ),
]
Key = Annotated[
    Path,
    typer.Option(
        metavar="PATH", help="The key file: made if missing, never overwritten.", rich_help_panel=OUTPUT
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an earlier run in the directory.", rich_help_panel=OUTPUT),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, one object a line, for programs.", rich_help_panel=OUTPUT),
]
Tied = Annotated[bool, typer.Option("--tied", hidden=True, help="End when standard input ends.")]
