"""`btard invite`: make invitations for a run that takes invited peers only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def invite(
    run: Annotated[
        str, options.run("RUN", "The run's id, 64 hexadecimal digits, as the bootstrap printed it.")
    ],
    count: Annotated[
        int, options.run("N", "How many; each is for one seat.", "--count", min=1, max=1000)
    ] = 1,
    days: Annotated[float, options.run("DAYS", "How long they are good.")] = 7.0,
    key: options.Key = Path("bootstrap.key"),
    json: options.Json = False,
) -> None:
    """Make invitations, each a line to give to one person, who joins with btard peer --invite LINE.

    Example: btard invite --run 5e1f... --count 3 --key bootstrap.key
    """
    import os
    import time
    from json import dumps

    from btard.node.options import make_invitations

    for token in make_invitations(run, key, count, days, time.time(), os.urandom):
        typer.echo(dumps({"invitation": token}) if json else token)
