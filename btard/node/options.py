"""What a person says when starting a peer or a bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from btard.adversary import AdversaryTerm
from btard.crypto import PEER_ID_BYTES
from btard.errors import ConfigurationError
from btard.run.config import RunConfig
from btard.types import PeerId


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """`join` is the bootstrap's address, `adversary` how it misbehaves (None: honest). The peer
    listens on `host`:`port` (0: a free one) and is reached at `announce` where that's another address.
    `expected` is the configuration that the run must have, if any. `wait_s` bounds each wait for others."""

    join: str
    key: Path
    run_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    announce: str | None = None
    expected: RunConfig | None = None
    adversary: AdversaryTerm | None = None
    colluders: tuple[PeerId, ...] = ()
    evaluate_every: int = 5
    device: str = "cpu"
    wait_s: float = 120.0


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """The run to announce, and where the directory's first node listens."""

    config: RunConfig
    key: Path
    host: str = "127.0.0.1"
    port: int = 0


def read_keys(text: str) -> tuple[PeerId, ...]:
    """Peers from comma-separated hexadecimal keys. Raises ConfigurationError."""
    try:
        keys = tuple(PeerId(bytes.fromhex(each)) for each in text.split(",") if each)
    except ValueError:
        keys = (PeerId(b""),)
    if any(len(key) != PEER_ID_BYTES for key in keys):
        raise ConfigurationError("a peer is named by the 64 hexadecimal digits of its public key")
    return keys
