"""Adversaries: honest peers wrapped from outside, to attack a real swarm with.

    adversary = parse_adversary("sign_flip(start=10)").make(identity, seed)
    machine = AdversarialMachine(PeerMachine(identity, ...), adversary)
    perform = tampered(adversary, Performer(engine), engine)

Honest code does not know of them.
"""

from __future__ import annotations

from btard.adversary.base import Adversary
from btard.adversary.machine import AdversarialMachine, tampered
from btard.adversary.naming import AdversaryTerm, parse_adversaries, parse_adversary
from btard.adversary.registry import ADVERSARIES, make_adversary, parameters
from btard.machine import Perform

__all__ = [
    "ADVERSARIES",
    "AdversarialMachine",
    "Adversary",
    "AdversaryTerm",
    "Perform",
    "make_adversary",
    "parameters",
    "parse_adversaries",
    "parse_adversary",
    "tampered",
]
