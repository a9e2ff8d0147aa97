"""The norms of a step, from the scalars that all participants have published."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from btard.protocol.state import Finished
from btard.run.events import Norms
from btard.types import PeerId


def norms_of(finished: Finished, me: PeerId, tau: float) -> Norms | None:
    """Return the norms of a finished step, None if it has no parts. `tau` is of the whole gradient.

    The numbers of other peers are what they claim: for the share of rows that tau clips, and the median."""
    parts = len(finished.aggregates)
    if not parts:
        return None
    rows = dict(zip(finished.participants, finished.scalars, strict=True))
    distances = {peer: _whole(each.norm for each in row) for peer, row in rows.items()}
    limit = tau / math.sqrt(parts)
    beyond = [each.norm > limit for row in rows.values() for each in row]
    own = rows.get(me)
    return Norms(
        gradient=None if own is None else _whole(each.row for each in own),
        aggregate=_whole(each.center for each in (own or finished.scalars[0])),
        distance=distances.get(me),
        median_distance=median(distances.values()),
        tau=tau,
        clipped=sum(beyond) / len(beyond),
    )


def _whole(norms: Iterable[float]) -> float:
    """The norm of a vector from those of its parts."""
    return math.sqrt(sum(norm * norm for norm in norms))
