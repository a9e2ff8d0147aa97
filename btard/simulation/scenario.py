"""What happens in one simulated run: who takes part, who cheats, what breaks."""

from __future__ import annotations

from dataclasses import dataclass, field

from btard.errors import ConfigurationError
from btard.protocol.constants import ProtocolConfig, tolerated
from btard.simulation.breaks import excess
from btard.simulation.faults import Crash, Cut, Slow, Uplink, Weather


@dataclass(frozen=True, slots=True)
class Byzantine:
    """The peer's machine and work go through this adversary, a term of `btard.adversary.parse_adversary`."""

    peer: int
    kind: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of `peers` peers through `steps` steps. What is drawn while it runs is drawn from `seed`.

    `uplinks` are those of all peers, or none: then everything leaves at once. Byzantine peers have none that
    would hold them up. Raises ConfigurationError for more than the protocol promises anything about: too many
    faulty peers, too slow messages, too many broken links (`breaks.py`)."""

    seed: int
    peers: int
    steps: int = 3
    config: ProtocolConfig = field(default_factory=lambda: ProtocolConfig(gradient_s=20.0))
    weather: Weather = field(default_factory=Weather)
    byzantine: tuple[Byzantine, ...] = ()
    crashes: tuple[Crash, ...] = ()
    slow: tuple[Slow, ...] = ()
    cuts: tuple[Cut, ...] = ()
    uplinks: tuple[Uplink, ...] = ()

    def __post_init__(self) -> None:
        if len(self.faulty) > tolerated(self.peers):
            raise ConfigurationError(
                f"{len(self.faulty)} faulty peers of {self.peers}: "
                f"at most {tolerated(self.peers)} are tolerated"
            )
        if self.weather.worst_s > self.config.delta_s:
            raise ConfigurationError("a control message may not take longer than delta_s: lower worst_s")
        if self.uplinks and len(self.uplinks) != self.peers:
            raise ConfigurationError(f"{len(self.uplinks)} uplinks of {self.peers} peers: give one to each")
        if broken := excess(self.cuts, self.steady, self.peers):
            raise ConfigurationError(f"{broken}: cut fewer links")

    @property
    def faulty(self) -> frozenset[int]:
        """Peers to whom nothing is promised: Byzantine, crashing or slow ones."""
        faults: tuple[Byzantine | Crash | Slow, ...] = (*self.byzantine, *self.crashes, *self.slow)
        return frozenset(each.peer for each in faults)

    @property
    def steady(self) -> tuple[int, ...]:
        """Peers that must go through the whole run and keep their seats."""
        return tuple(peer for peer in range(self.peers) if peer not in self.faulty)
