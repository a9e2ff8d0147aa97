"""Adversaries: honest peers wrapped from outside, to attack a real swarm with.

    adversary = make_adversary("sign_flip", identity, seed, start=10)
    machine = AdversarialMachine(PeerMachine(identity, ...), adversary)
    perform = tampered(adversary, Performer(engine), engine)

Nothing in the honest code knows of them.
"""

from __future__ import annotations

from btard.adversary.base import Adversary, Perform
from btard.adversary.machine import AdversarialMachine, tampered
from btard.adversary.registry import ADVERSARIES, make_adversary, parameters

__all__ = [
    "ADVERSARIES",
    "AdversarialMachine",
    "Adversary",
    "Perform",
    "make_adversary",
    "parameters",
    "tampered",
]
