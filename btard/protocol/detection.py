"""How likely false gradients are caught, and in how many steps (`protocols/verification.md`)."""

from __future__ import annotations

import math


def chance_to_escape(peers: int, byzantine: int, validators: int, steps: int) -> float:
    """Probability that a given peer which always sends false gradients is never caught in `steps` steps.

    A step catches it when it is drawn as target (validators / peers) by an honest validator
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
