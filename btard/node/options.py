"""What a person says when starting a peer or a bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from btard.node.run_config import RunConfig
from btard.types import PeerId


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """`join` is the bootstrap's address, `adversary` a kind with its parameters (None: honest). The peer
    listens on `host`:`port` (0: a free one) and is reached at `announce` where that's another address.
    `expected` is the configuration that the run must have, if any. `wait_s` bounds each wait for others."""

    join: str
    key: Path
    run_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    announce: str | None = None
    expected: RunConfig | None = None
    adversary: tuple[str, dict[str, object]] | None = None
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
