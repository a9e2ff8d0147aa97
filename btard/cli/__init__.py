"""The command line: one file a command, no logic.

A command reads its options, imports what it needs inside its function (`btard --help` must not
wait for torch) and calls one layer below. `main` is the boundary at which every trouble that a person can
mend becomes one sentence on stderr and an exit status (`STATUSES`).
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from btard import __version__
from btard.cli.arena import arena
from btard.cli.audit import audit
from btard.cli.bootstrap import bootstrap
from btard.cli.check_task import check_task
from btard.cli.export import export
from btard.cli.invite import invite
from btard.cli.keygen import keygen
from btard.cli.measure_norms import measure_norms
from btard.cli.measure_tolerance import measure_tolerance
from btard.cli.new_task import new_task
from btard.cli.peer import peer
from btard.cli.prepare_data import prepare_data
from btard.cli.simulate import simulate
from btard.cli.swarm import swarm
from btard.errors import BtardError, HaltedError

INTERRUPTED = 130

STATUSES = """Exit status:
0: done; a peer, a bootstrap and a swarm of processes also after SIGTERM, once all is closed in order.
1: an error, said in one sentence.
2: a command or option that does not exist.
3: the answer is no: an audit, a simulation, a task, a cell of the arena or a swarm failed.
4: this peer lost its seat, or the run has none for it: do not restart it.
130: interrupted by Ctrl-C.

Every option can be given in the environment: BTARD_PEER_OUT is --out of btard peer.
"""

app = typer.Typer(
    name="btard",
    help="Train a PyTorch model together with strangers, and find out who cheats.",
    epilog=STATUSES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "BTARD"},
)
app.command()(keygen)
app.command()(audit)
app.command()(bootstrap)
app.command("check-task")(check_task)
app.command()(invite)
app.command("new-task")(new_task)
app.command()(peer)
app.command()(simulate)
app.command()(swarm)
app.command()(arena)
app.command()(export)
app.command()(measure_norms)
app.command()(measure_tolerance)
app.command()(prepare_data)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", allow_from_autoenv=False, help="Print the version and exit.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"btard {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line of this process and exit with its status; `STATUSES` lists them.

    Any other exception is a defect of ours and keeps its traceback.
    """
    # Read by CUDA's library once, as it starts: before that, and for the children of `btard swarm`, too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        app()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # typer makes a status of KeyboardInterrupt
            _fail("interrupted", INTERRUPTED)
        raise
    except HaltedError as error:
        _fail(str(error), status=4)
    except BtardError as error:
        _fail(str(error), status=1)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        reason = os.strerror(error.errno) if error.errno else str(error)
        _fail(f"{place}{reason}: check the path, its permissions and the space left, and try again", status=1)


def _fail(sentence: str, status: int) -> None:
    print(f"btard: {sentence}", file=sys.stderr)
    sys.exit(status)
