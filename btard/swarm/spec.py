"""A swarm to be started here: how many peers, which of them misbehave, on which run."""

from __future__ import annotations

from dataclasses import dataclass

from btard.adversary import Adversary, AdversaryTerm
from btard.crypto import Identity, digest
from btard.errors import ConfigurationError
from btard.node.keeper import CHECKPOINT_EVERY, KEEP_CHECKPOINTS
from btard.protocol.constants import tolerated
from btard.run.admission import allowing
from btard.run.config import RunConfig, RunPlan
from btard.types import Digest, PeerId


@dataclass(frozen=True, slots=True)
class SwarmSpec:
    """The peers of a local swarm. The last ones are Byzantine, one for each term of `byzantine`, and attack
    from step `attack_start` on if their terms do not say otherwise. Keys follow from the plan's seed, which
    is only safe in a swarm that one person runs on one machine. The first peer keeps checkpoints, as
    `PeerOptions` says."""

    plan: RunPlan
    byzantine: tuple[AdversaryTerm, ...] = ()
    attack_start: int = 0
    checkpoint_every: int = CHECKPOINT_EVERY
    keep_checkpoints: int = KEEP_CHECKPOINTS

    def __post_init__(self) -> None:
        if not 0 <= self.attack_start < self.plan.steps:
            raise ConfigurationError(
                f"the attack starts at step {self.attack_start}, but the run has {self.plan.steps} steps: "
                f"use 0 to {self.plan.steps - 1}"
            )
        peers, limit = self.plan.peers, tolerated(self.plan.peers)
        if len(self.byzantine) > limit:
            raise ConfigurationError(
                f"{len(self.byzantine)} of {peers} peers are Byzantine, not a minority: use at most {limit}"
            )

    def kind(self, index: int) -> AdversaryTerm | None:
        """Return the adversary that peer `index` is; None for an honest peer."""
        first = self.plan.peers - len(self.byzantine)
        return self.byzantine[index - first] if index >= first else None

    def adversary(self, index: int) -> Adversary | None:
        """Return the adversary of peer `index`, made; None for an honest peer."""
        kind, identity = self.kind(index), self.identity(index)
        if kind is None:
            return None
        return kind.starting(self.attack_start).make(identity, identity.seed, self.colluders)

    def identity(self, index: int) -> Identity:
        """Return the identity of peer `index`."""
        return Identity.from_seed(digest("swarm key", self._seed, index.to_bytes(4, "little")))

    @property
    def config(self) -> RunConfig:
        """The run of this swarm in one process: its nonce follows from the seed, so that it runs the same way
        each time. A swarm of processes has a bootstrap, which draws one."""
        return self.plan.begin(digest("swarm nonce", self._seed))

    @property
    def closed_plan(self) -> RunPlan:
        """The plan with seats for this swarm's own peers alone: what its bootstrap announces."""
        return self.plan.model_copy(update={"admission": allowing(self.peers)})

    def secret(self, index: int) -> Digest:
        """Return what peer `index` of a swarm in one process uses for entropy."""
        return digest("swarm secret", self._seed, index.to_bytes(4, "little"))

    @property
    def _seed(self) -> bytes:
        return self.plan.seed.to_bytes(16, "little", signed=True)

    @property
    def peers(self) -> tuple[PeerId, ...]:
        """All peers, by index."""
        return tuple(self.identity(index).peer for index in range(self.plan.peers))

    @property
    def colluders(self) -> tuple[PeerId, ...]:
        """The Byzantine peers, which know of each other."""
        return self.peers[self.plan.peers - len(self.byzantine) :]
