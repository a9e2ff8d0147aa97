"""`btard keygen`: make a peer's key, or show the public key of the one that is there."""

from __future__ import annotations

from pathlib import Path

import typer

from btard.cli import options


def keygen(key: options.Key = Path("identity.key"), json: options.Json = False) -> None:
    """Make an Ed25519 key file and print its public key, the peer's name in every run.

    Example: btard keygen --key me.key
    """
    import os
    from json import dumps

    from btard.crypto import Identity

    peer = Identity.load_or_create(key, os.urandom).peer.hex()
    typer.echo(dumps({"peer": peer, "key": str(key)}) if json else peer)
