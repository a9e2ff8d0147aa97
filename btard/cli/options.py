"""Options that several commands share: one spelling, one meaning, one panel of the help.

Each option can also be given as BTARD_COMMAND_OPTION in the environment, e.g. BTARD_PEER_OUT.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer


def _panel(title: str) -> Callable[..., Any]:
    def option(metavar: str | None, text: str, *names: str, **more: Any) -> Any:
        return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=title, **more)

    return option


run, network, output = _panel("The run"), _panel("Network"), _panel("Output")
"""Make an option of this panel of the help: its metavar, its text, its names if not the parameter's."""

Task = Annotated[str, run("NAME", "The task to train, or module:attribute.")]
Option = Annotated[list[str] | None, run("KEY=VALUE", "An option of the task; repeatable.", "--option")]
Trusted = Annotated[
    str | None, run("MODULE:ATTRIBUTE", "Your own code, trusted if the run's task names it.", "--task")
]
Peers = Annotated[int, run("N", "Seats of the first roster, 2 to 64.")]
Steps = Annotated[int | None, run("N", "Steps to train; by default the task's.")]
Validators = Annotated[int | None, run("N", "Peers examined in each step; by default a quarter.")]
Tau = Annotated[float | None, run("NORM", "Clipping radius of a whole gradient; by default the task's.")]
Epsilon = Annotated[
    float | None, run("SHARE", "How far honest gradients may differ; by default the task's profile's.")
]
Clip = Annotated[float | None, run("NORM", "Clip each gradient to this norm first (BTARD-Clipped-SGD).")]
Seed = Annotated[int, run("N", "The seed of the initial model and the batches.")]
Device = Annotated[str, run("DEVICE", "The device that trains: cpu, cuda:1.")]
Config = Annotated[Path | None, run("FILE", "The run's plan, as --print-config wrote it.")]
Host = Annotated[str, network("IP", "The address to listen on; 0.0.0.0: all.")]
Port = Annotated[int, network("N", "The port to listen on; 0: a free one.", min=0, max=65535)]
Announce = Annotated[
    list[str] | None,
    network("HOST:PORT,...", "The addresses that others reach, if not this machine's own; repeatable."),
]
Key = Annotated[Path, output("PATH", "The key file: made if missing, never overwritten.")]
Overwrite = Annotated[bool, output(None, "Replace an earlier run in the directory.", "--overwrite")]
CheckpointEvery = Annotated[
    int, output("STEPS", "Keep the model before and after every N-th step.", "--checkpoint-every", min=1)
]
KeepCheckpoints = Annotated[
    int, output("N", "Keep the newest N checkpoints; 0: all.", "--keep-checkpoints", min=0)
]
Json = Annotated[bool, output(None, "Print JSON, one object a line, for programs.", "--json")]
Track = Annotated[
    list[str] | None,
    output("TRACKER", "Curves: tensorboard, tensorboard:DIR, wandb or wandb:PROJECT; repeatable."),
]
Tied = Annotated[bool, typer.Option("--tied", hidden=True, help="End when standard input ends.")]
