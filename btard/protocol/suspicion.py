"""CheckAveraging: who examines the rows of a suspicious part, and what follows where they do not come.

The examiners of a part are drawn by the coin of its step, after rows, aggregate and scalars are committed.
The aggregator sends them the rows; an examiner accuses, in ACCUSE, every contributor whose scalars are false.
If more than half of a part's examiners say that they lack rows, the part is unchecked: the attempt ends,
nobody loses a seat, and the aggregator its role.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from btard.crypto import Draw
from btard.protocol import mprng, verification
from btard.protocol.agreed import Seating, Sets
from btard.protocol.messages import ACCUSE, REVEAL, SCALARS

Examiners: TypeAlias = Mapping[int, tuple[int, ...]]
"""The seats that examine each suspicious part."""


def draw_examiners(seating: Seating, coin: bytes, part: int) -> tuple[int, ...]:
    """Return the seats that examine `part` if it is suspicious: `examiners` of them, or all that there are,
    none of them its aggregator."""
    others = [seat for seat in range(len(seating.participants)) if seat != seating.aggregators[part]]
    order = Draw(coin + part.to_bytes(4, "little"), "examiners").shuffle(others)
    return tuple(sorted(order[: seating.state.config.examiners]))


def examiners(seating: Seating, sets: Sets) -> Examiners:
    """Return who examines which part, from the agreed scalars."""
    table = [said.parts for said in sets[SCALARS]]
    coin = mprng.combine(sets[REVEAL])
    parts = verification.suspicious_parts(table, seating.state.config)
    return {part: draw_examiners(seating, coin, part) for part in parts}


def unchecked(seating: Seating, sets: Sets) -> tuple[int, ...]:
    """Return the aggregators of parts of which more than half of the examiners lack rows."""
    lacking = [said.unavailable for said in sets[ACCUSE]]
    return tuple(
        seating.aggregators[part]
        for part, bench in examiners(seating, sets).items()
        if 2 * sum(part in lacking[seat] for seat in bench) > len(bench)
    )
