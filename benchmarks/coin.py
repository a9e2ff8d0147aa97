"""What a Byzantine minority gains by refusing to reveal its shares of the coin, and what it pays.

    python -m benchmarks.coin

All of f attackers send false gradients in one step. The coin draws the pairs; an attacker is caught if it is
the target of an honest validator. Before it is final, an attacker that sees it may withhold its reveal: it
loses its seat, and the coin is drawn again among the others (`protocols/verification.md`). Exact, by
recursion over the pairs; `refused` is the number of seats lost if the attackers stop at the best moment,
`escape` the probability that none is caught after at most k refusals. Printed, and written to
benchmarks/results/.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

from benchmarks import machine

SWARMS = ((8, 3, 2), (16, 3, 4), (16, 7, 4), (16, 7, 8), (64, 31, 16))
REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """Seats that the attackers lose in one such step, without and with refusals; and their escape."""

    peers: int
    byzantine: int
    pairs: int
    lost: float
    refused: float
    escape: tuple[float, ...]


@cache
def caught(honest: int, byzantine: int, pairs: int) -> tuple[float, ...]:
    """Return the probability that k attackers are caught, for k = 0 to `pairs`."""
    if pairs == 0:
        return (1.0,)
    result = [0.0] * (pairs + 1)
    total = (honest + byzantine) * (honest + byzantine - 1)
    for validator in (True, False):  # whether it is honest
        for target in (True, False):
            left = (honest - validator - target, byzantine - (not validator) - (not target))
            ways = (honest if validator else byzantine) * (
                (honest - validator) if target else (byzantine - (not validator))
            )
            if ways <= 0 or min(left) < 0:
                continue
            found = validator and not target
            for k, share in enumerate(caught(*left, pairs - 1)):
                result[k + found] += ways / total * share
    return tuple(result)


@cache
def fewest(honest: int, byzantine: int, pairs: int) -> float:
    """Return the seats lost if the attackers refuse whenever that is better for them."""
    if byzantine == 0:
        return 0.0
    chances = caught(honest, byzantine, min(pairs, (honest + byzantine) // 2))
    again = 1 + fewest(honest, byzantine - 1, pairs)
    return sum(share * min(k, again) for k, share in enumerate(chances))


def escape(honest: int, byzantine: int, pairs: int, refusals: int) -> float:
    """Return the probability that nobody is caught, at the price of at most so many seats."""
    if byzantine == 0:
        return 1.0
    none = caught(honest, byzantine, min(pairs, (honest + byzantine) // 2))[0]
    return none if refusals == 0 else none + (1 - none) * escape(honest, byzantine - 1, pairs, refusals - 1)


def row(peers: int, byzantine: int, pairs: int) -> Row:
    """Return the figures of one swarm."""
    honest = peers - byzantine
    lost = sum(k * share for k, share in enumerate(caught(honest, byzantine, pairs)))
    escapes = tuple(escape(honest, byzantine, pairs, k) for k in range(REFUSALS + 1))
    return Row(peers, byzantine, pairs, lost, fewest(honest, byzantine, pairs), escapes)


def main() -> None:
    """Print the table and keep it."""
    rows = [row(*swarm) for swarm in SWARMS]
    lines = [
        "# Refusing to reveal: seats lost in a step of false gradients by all attackers",
        "",
        "`python -m benchmarks.coin`; exact, the same on every machine.",
        "",
        "| n, f, m | seats lost | with refusals | none caught | after 1 | after 2 | after 3 |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in rows:
        escapes = " | ".join(f"{share:.3f}" for share in each.escape)
        place = f"{each.peers}, {each.byzantine}, {each.pairs}"
        lines.append(f"| {place} | {each.lost:.2f} | {each.refused:.2f} | {escapes} |")
    machine.keep("coin", [asdict(each) for each in rows], "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
