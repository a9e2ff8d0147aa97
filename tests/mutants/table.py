"""All planted bugs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant
from tests.mutants.planted import (
    bounds,
    coin,
    deadlines,
    ledger,
    majorities,
    roster,
    signatures,
    verification,
)

MUTANTS: tuple[Mutant, ...] = (
    *signatures.MUTANTS,
    *majorities.MUTANTS,
    *verification.MUTANTS,
    *coin.MUTANTS,
    *roster.MUTANTS,
    *bounds.MUTANTS,
    *deadlines.MUTANTS,
    *ledger.MUTANTS,
)
