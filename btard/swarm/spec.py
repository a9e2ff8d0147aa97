"""A swarm to be started here: how many peers, which of them misbehave, on which run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btard.adversary import ADVERSARIES
from btard.crypto import Identity, digest
from btard.errors import ConfigurationError
from btard.protocol.constants import tolerated
from btard.run.config import RunConfig
from btard.types import PeerId


def parse_byzantine(text: str) -> tuple[str, ...]:
    """`sign_flip*2,ipm` -> ("sign_flip", "sign_flip", "ipm"). Raises ConfigurationError."""
    kinds: list[str] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        kind, star, count = item.partition("*")
        if star and not (count.isascii() and count.isdigit() and int(count) > 0):
            raise ConfigurationError(f"{item!r} is no number of adversaries: write it as {kind}*2")
        if kind not in ADVERSARIES:
            raise ConfigurationError(
                f"there is no adversary {kind!r}: choose among {', '.join(sorted(ADVERSARIES))}"
            )
        kinds += [kind] * (int(count) if star else 1)
    return tuple(kinds)


@dataclass(frozen=True, slots=True)
class SwarmSpec:
    """The peers of a local swarm; the last ones are Byzantine, one a kind given, and attack from step
    `attack_start` on. Keys follow from the run's seed: fit for a swarm that one person runs on one
    machine, and for nothing else."""

    config: RunConfig
    byzantine: tuple[str, ...] = ()
    attack_start: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.attack_start < self.config.steps:
            raise ConfigurationError(
                f"attacks can't start at step {self.attack_start}: the run has {self.config.steps} steps"
            )
        peers, limit = self.config.peers, tolerated(self.config.peers)
        if len(self.byzantine) > limit:
            raise ConfigurationError(
                f"{len(self.byzantine)} Byzantine peers of {peers} are no minority: use at most {limit}"
            )

    def kind(self, index: int) -> str | None:
        """What peer `index` is: None for an honest one, else its kind of adversary."""
        first = self.config.peers - len(self.byzantine)
        return self.byzantine[index - first] if index >= first else None

    def key_seed(self, index: int) -> bytes:
        """The key seed of peer `index`."""
        seed = self.config.seed.to_bytes(16, "little", signed=True)
        return digest("swarm key", seed, index.to_bytes(4, "little"))

    def identity(self, index: int) -> Identity:
        """The identity of peer `index`."""
        return Identity.from_seed(self.key_seed(index))

    def profile(self, index: int) -> str:
        """The profile of peer `index`, as `btard peer --profile` reads it."""
        kind = self.kind(index)
        if kind is None:
            return 'role = "trainer"\n'
        return f'role = "trainer"\n[adversary]\nkind = "{kind}"\nstart = {self.attack_start}\n'

    @property
    def peers(self) -> tuple[PeerId, ...]:
        """All peers, by index."""
        return tuple(self.identity(index).peer for index in range(self.config.peers))

    @property
    def colluders(self) -> tuple[PeerId, ...]:
        """The Byzantine ones: they know of each other."""
        peers: Sequence[PeerId] = self.peers
        return tuple(peer for index, peer in enumerate(peers) if self.kind(index) is not None)
