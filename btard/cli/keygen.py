"""`btard keygen`: make a peer's key, or show the public key of the one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def keygen(
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="The key file: made if missing, never overwritten.")
    ] = Path("identity.key"),
) -> None:
    """Make an Ed25519 key file and print its public key, the peer's name in every run."""
    import os

    from btard.crypto import Identity

    typer.echo(Identity.load_or_create(out, os.urandom).peer.hex())
