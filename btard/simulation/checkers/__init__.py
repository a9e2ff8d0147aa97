"""The properties that must hold in every simulated run, checked after every event.

A checker sees each step of each peer's machine, as the world carries it out, and says what is wrong; the
world stops at the first complaint. Peers are honest unless an adversary wraps them; *steady* ones are also
neither crashed nor slow. test_checkers.py and test_oracles.py in tests/simulation plant the bug that each
checker is for.
"""

from __future__ import annotations

from btard.simulation.checker import Checker
from btard.simulation.checkers.agreement import LedgerAgreement, Models
from btard.simulation.checkers.detection import Detection
from btard.simulation.checkers.forgery import Audited, Unforgeability
from btard.simulation.checkers.memory import Buffers, Inventory, Room
from btard.simulation.checkers.progress import Accounts, EveryEnding, Promptness, SteadyProgress
from btard.simulation.checkers.reference import Reference
from btard.simulation.checkers.seats import Blame, Causes, Innocence, Seats, Strikes
from btard.simulation.checkers.validity import Validity

__all__ = ["all_checkers"]


def all_checkers() -> tuple[Checker, ...]:
    """One of each, for one run."""
    reference = Reference()
    return (
        LedgerAgreement(),
        Models(),
        Inventory(),
        Innocence(),
        Seats(),
        Causes(),
        Blame(),
        Unforgeability(),
        Detection(reference),
        Validity(reference),
        SteadyProgress(),
        Strikes(),
        Accounts(),
        Buffers(),
        Room(),
        EveryEnding(),
        Promptness(),
        Audited(),
    )
