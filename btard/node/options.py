"""What a person says when starting a peer or a bootstrap, checked before anybody is contacted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from btard.adversary import AdversaryTerm
from btard.errors import ConfigurationError
from btard.network import peer_of
from btard.network.address import check_address
from btard.network.daemon import check_free
from btard.network.libp2p import listen_multiaddr
from btard.run.config import RunPlan
from btard.training.device import check_device
from btard.types import PeerId


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """How to take part in a run. `join` is the bootstrap's address. `out` is the run directory; an earlier
    run in it is refused unless `replace`. The peer listens on `host`:`port` (0: a free one) and is reached at
    `announce` (HOST:PORT each), or at the addresses of this machine if that is empty. The newest
    `keep_checkpoints` are kept (0: all). `expected` is the
    plan that the run must be of, if any. `adversary` is how the peer misbehaves, None if it
    is honest. `wait_s` bounds each wait for others."""

    join: str
    key: Path
    out: Path | None = None
    replace: bool = False
    host: str = "0.0.0.0"
    port: int = 0
    announce: tuple[str, ...] = ()
    expected: RunPlan | None = None
    adversary: AdversaryTerm | None = None
    colluders: tuple[PeerId, ...] = ()
    evaluate_every: int = 5
    keep_checkpoints: int = 20
    device: str = "cpu"
    wait_s: float = 600.0

    def check(self) -> None:
        """Raise BtardError for what can be known to be wrong without the network."""
        peer_of(self.join)
        if self.wait_s < 0:
            raise ConfigurationError(f"--wait is {self.wait_s:g}: use 0 or more seconds")
        check_device(self.device)
        _check_network(self.host, self.port, self.announce)


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """The plan of the run to announce; where the directory's first node listens, and where it is reached."""

    plan: RunPlan
    key: Path
    host: str = "0.0.0.0"
    port: int = 0
    announce: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise NetworkError for an address that is malformed or taken."""
        _check_network(self.host, self.port, self.announce)


def read_addresses(texts: list[str] | None) -> tuple[str, ...]:
    """Addresses, each text with one or several of them between commas."""
    return tuple(each.strip() for text in texts or () for each in text.split(",") if each.strip())


def read_keys(text: str) -> tuple[PeerId, ...]:
    """Peers from comma-separated hexadecimal keys. Raises ConfigurationError."""
    keys = [each for each in text.split(",") if each]
    if not all(re.fullmatch("[0-9a-f]{64}", key) for key in keys):
        raise ConfigurationError("a peer is named by the 64 hexadecimal digits of its public key")
    return tuple(PeerId(bytes.fromhex(key)) for key in keys)


def _check_network(host: str, port: int, announce: tuple[str, ...]) -> None:
    listen_multiaddr(host, port)
    for each in announce:
        check_address(each)
    check_free(host, port)
