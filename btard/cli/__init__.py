"""The command line: one file a command, no logic.

A command reads its options, imports what it needs inside its function (`btard --help` must not
wait for torch) and calls one layer below. It never catches an error: `main` is the boundary where
every trouble that a person can mend becomes one sentence on stderr and an exit status.

    0    done
    1    a BtardError, or no space left on the device
    2    an unknown command or option
    130  interrupted by the keyboard
"""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from btard import __version__
from btard.cli.arena import arena
from btard.cli.audit import audit
from btard.cli.bootstrap import bootstrap
from btard.cli.keygen import keygen
from btard.cli.peer import peer
from btard.cli.simulate import simulate
from btard.cli.swarm import swarm
from btard.errors import BtardError

app = typer.Typer(
    name="btard",
    help="Train a PyTorch model together with strangers, and find out who cheats.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(keygen)
app.command()(audit)
app.command()(bootstrap)
app.command()(peer)
app.command()(simulate)
app.command()(swarm)
app.command()(arena)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"btard {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line of this process and exit with its status; the table is in the module's text.

    Anything that is not listed there is a defect of ours and keeps its traceback.
    """
    try:
        app()
    except BtardError as error:
        _fail(str(error), status=1)
    except KeyboardInterrupt:
        _fail("interrupted", status=130)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = f" for {error.filename}" if error.filename else ""
        _fail(f"no space is left on the device{where}: free some and run the command again.", status=1)


def _fail(sentence: str, status: int) -> None:
    print(f"btard: {sentence}", file=sys.stderr)
    sys.exit(status)
