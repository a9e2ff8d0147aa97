"""How many links between honest peers may be broken, and which steps a broken one may cost.

Links of Byzantine peers may break as they like. Among the *steady* peers, which are honest, present and
prompt:

1. *Two hops.* If a link is broken, either way, some steady peer has whole links with both of its ends, for
   messages and for blobs: what one end lacks it asks everybody for, and that peer serves it (Need, Want). It
   is so if each of h steady peers has at most (h - 1) / 2 broken links, and then reaches a majority of them
   directly, itself included.
2. *Calls.* Some steady peer hears f + 1 of them directly, itself included, f the largest minority of all
   peers. Otherwise calls are sent on only with the next ones, `phase_s` later.
3. *Parts.* A part goes from its sender to its aggregator, and nobody relays it. A peer with more than f + 1
   counterparties misses the step, and, while that goes on, each step until its seat ends
   (`protocols/step.md`); f falls as cheats lose their seats. So each steady peer has broken links of blobs,
   either way, with at most floor((h - 1) / 2) steady ones, which is what f falls to.

Within these, a steady peer may still miss a step if its broken links and the faulty members, who may complain
of it falsely, are together more than f + 1. Its seat is not meant to end by that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from btard.protocol.constants import tolerated
from btard.simulation.faults import Cut


def excess(cuts: Collection[Cut], steady: Collection[int], peers: int) -> str | None:
    """Return what these cuts, if all were at one time, would ask too much of; None if they are within the
    bounds. `peers` is the number of all peers."""
    control = _ways(cuts, lambda cut: cut.control)
    blobs = _ways(cuts, lambda cut: cut.blobs)
    # A blob is asked for by a message, so whoever relays it needs links for both.
    for broken, worn, what in ((control, control, "messages"), (blobs, control | blobs, "blobs")):
        for one, other in broken:
            if {one, other} <= {*steady} and not any(
                not {(one, by), (by, one), (other, by), (by, other)} & worn
                for by in steady
                if by not in (one, other)
            ):
                return f"nobody can relay {what} between peers {one} and {other}"
    most = max((sum((other, by) not in control for other in steady) for by in steady), default=0)
    if control and most <= tolerated(peers):
        return f"no steady peer hears {tolerated(peers) + 1} calls"
    for peer in steady:
        others = {end for way in blobs if peer in way and {*way} <= {*steady} for end in way} - {peer}
        if len(others) > tolerated(len(steady)):
            return f"peer {peer} has broken links with {len(others)} of {len(steady)} steady peers"
    return None


def broken_parts(cuts: Collection[Cut], steady: Collection[int], peer: int) -> tuple[int, int]:
    """Return how many steady peers get no blob of `peer`, and of how many it gets none."""
    broken = {way for way in _ways(cuts, lambda cut: cut.blobs) if {*way} <= {*steady}}
    return sum(way[0] == peer for way in broken), sum(way[1] == peer for way in broken)


def _ways(cuts: Collection[Cut], of: Callable[[Cut], bool]) -> set[tuple[int, int]]:
    return {way for cut in cuts if of(cut) for way in cut.ways}
