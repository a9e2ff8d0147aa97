"""`btard peer`: join a swarm by its bootstrap's address and train with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def peer(
    join: Annotated[str, typer.Option(metavar="ADDRESS", help="The bootstrap's address, as it printed it.")],
    profile: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="What the peer does: a profile of peers/.")
    ] = "trainer",
    key: Annotated[Path, typer.Option(metavar="PATH", help="The key file: made if missing.")] = Path(
        "identity.key"
    ),
    run_dir: Annotated[
        Path | None, typer.Option("--out", "--run-dir", metavar="DIR", help="Keep ledger and model here.")
    ] = None,
    no_out: Annotated[bool, typer.Option("--no-out", hidden=True)] = False,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Join only a run with this configuration.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: a free one.")] = 0,
    announce: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where others reach it, if elsewhere.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute gradients: cpu, cuda:1, mps.")] = "cpu",
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for others.")] = 600.0,
    evaluate_every: Annotated[
        int, typer.Option(metavar="STEPS", help="How often to evaluate the model; 0: never.")
    ] = 5,
    colluders: Annotated[str, typer.Option(hidden=True)] = "",
    json: Annotated[bool, typer.Option("--json", help="Say everything in JSON lines.")] = False,
    tied: Annotated[bool, typer.Option("--tied", help="End when standard input ends.")] = False,
) -> None:
    """Join a swarm by its bootstrap's address and train with it."""
    from btard.console.event_console import EventConsole
    from btard.node.options import PeerOptions, read_keys
    from btard.node.peer import run_peer
    from btard.node.profile import trainer_profile
    from btard.node.running import run
    from btard.run.config import RunConfig

    options = PeerOptions(
        join=join,
        key=key,
        run_dir=None if no_out else run_dir,
        host=host,
        port=port,
        announce=announce,
        expected=None if expect is None else RunConfig.load(expect),
        adversary=trainer_profile(profile).misbehaviour,
        colluders=read_keys(colluders),
        evaluate_every=evaluate_every,
        device=device,
        wait_s=wait,
    )
    with EventConsole(json=json) as emit:
        ended = run(run_peer(options, emit=emit), tied=tied)
    raise typer.Exit(0 if ended.outcome == "finished" else 1)
