"""Adversaries as command lines and profiles write them: "alie(z=1.5)*2, equivocation(phase=reveal)"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from btard.adversary.base import Adversary
from btard.adversary.registry import make_adversary
from btard.crypto import Identity
from btard.errors import ConfigurationError
from btard.terms import Term, parse_term
from btard.types import PeerId

_SEPARATOR = re.compile(r",(?![^(]*\))")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class AdversaryTerm(Term):
    """A kind of adversary with its parameters."""

    @property
    def text(self) -> str:
        """The term as a person writes it: "alie(z=1.5)"."""
        said = (f"{name}={_written(value)}" for name, value in self.arguments.items())
        return f"{self.name}({', '.join(said)})" if self.arguments else self.name

    def starting(self, step: int) -> AdversaryTerm:
        """Return the same term with `step` as its start, unless it has one."""
        return AdversaryTerm(self.name, {"start": step, **self.arguments})

    def make(self, identity: Identity, seed: bytes, colluders: tuple[PeerId, ...] = ()) -> Adversary:
        """Return the adversary, as `make_adversary` does."""
        return make_adversary(self.name, identity, seed, colluders, **self.arguments)


def parse_adversary(text: str) -> AdversaryTerm:
    """Return the adversary that `text` names. Raises ConfigurationError, with what there is, if
    `make_adversary` would."""
    term = parse_term(text)
    adversary = AdversaryTerm(term.name, term.arguments)
    adversary.make(Identity.from_seed(bytes(32)), b"")
    return adversary


def parse_adversaries(text: str) -> tuple[AdversaryTerm, ...]:
    """Return the adversaries of a list: "ipm*2, silent" are three. Raises as `parse_adversary` does."""
    adversaries: list[AdversaryTerm] = []
    for item in filter(None, map(str.strip, _SEPARATOR.split(text))):
        written, _, count = item.rpartition("*") if "*" in item else (item, "", "1")
        if not _COUNT.fullmatch(count.strip()):
            raise ConfigurationError(f"the number of adversaries in {item!r} is {count!r}: write {written}*2")
        adversaries += [parse_adversary(written)] * int(count)
    return tuple(adversaries)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
