"""A swarm to be started here: how many peers, which of them misbehave, on which run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from btard.adversary import ADVERSARIES
from btard.crypto import Identity, digest
from btard.errors import ConfigurationError
from btard.node.run_config import RunConfig
from btard.protocol.constants import ProtocolConfig, tolerated
from btard.training.registry import load_recipe
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


def chance_to_escape(peers: int, byzantine: int, validators: int, steps: int) -> float:
    """Probability that a given peer which always sends false gradients is never caught in `steps` steps.

    A step catches it when it's drawn as target (validators / peers) by an honest validator
    ((peers - byzantine) / (peers - 1)); others' bans only raise that. Needs validators <= peers / 2."""
    caught = min(validators, peers // 2) / peers * (peers - byzantine) / max(1, peers - 1)
    return (1 - caught) ** steps


def default_validators(peers: int) -> int:
    """A quarter of the peers validates: each honest gradient costs 1.25 computations on average."""
    return max(1, peers // 4)


def steps_to_catch(peers: int, byzantine: int, validators: int, confidence: float = 0.999) -> int:
    """The least number of steps in which *all* of `byzantine` peers that always send false gradients are
    caught with probability `confidence` (union bound over `chance_to_escape`). The last step's gradients
    are examined in no later step, so one more."""
    if byzantine == 0:
        return 1
    escape = chance_to_escape(peers, byzantine, validators, 1)
    return math.ceil(math.log((1 - confidence) / byzantine) / math.log(escape)) + 1


def plan_run(
    task: str,
    *,
    peers: int,
    byzantine: int = 0,
    attack_start: int = 0,
    steps: int | None = None,
    validators: int | None = None,
    tau: float | None = None,
    delta_max: float | None = None,
    clip: float | None = None,
    seed: int = 0,
    delta_s: float = 1.0,
    phase_s: float = 20.0,
) -> RunConfig:
    """A run with the task's suggestions where nothing is said: its steps (more, if it takes more to catch
    `byzantine` attackers with probability 0.999), its tau and Delta_max, a quarter of the peers as
    validators. Raises ConfigurationError on what cannot be."""
    recipe = load_recipe(task)
    if peers < 2:
        raise ConfigurationError(f"{peers} peers are no swarm: use at least 2")
    drawn = default_validators(peers) if validators is None else validators
    if not 0 <= drawn <= peers // 2:
        raise ConfigurationError(
            f"{drawn} validators of {peers} peers: pairs are disjoint, use at most {peers // 2}"
        )
    needed = attack_start + steps_to_catch(peers, byzantine, drawn) if drawn else 0
    protocol = ProtocolConfig(
        tau=recipe.tau if tau is None else tau,
        delta_max=recipe.delta_max if delta_max is None else delta_max,
        validators=drawn,
        directions=recipe.projections,
        delta_s=delta_s,
        phase_s=phase_s,
    )
    return RunConfig.create(
        task,
        steps=max(recipe.steps, needed) if steps is None else steps,
        peers=peers,
        seed=seed,
        clip=clip,
        protocol=protocol,
    )
