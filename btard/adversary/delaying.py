"""The base of adversaries that keep back what they send, for a time of their choosing."""

from __future__ import annotations

from dataclasses import dataclass, field

from btard.adversary.base import Adversary
from btard.machine import Actions, PushBlob, Send


@dataclass(kw_only=True, eq=False)
class Delaying(Adversary):
    """Base: `keep` takes what leaves later, `release` lets out what is due."""

    _kept: list[tuple[float, Send | PushBlob]] = field(init=False, default_factory=list, repr=False)

    @property
    def wake(self) -> float | None:
        return min((due for due, _ in self._kept), default=None)

    def rest(self, out: Actions, now: float) -> None:
        self.release(out, now)

    def keep(self, what: Send | PushBlob, due: float) -> None:
        """Keep a message or a push until `due`."""
        self._kept.append((due, what))

    def release(self, out: Actions, now: float) -> None:
        """Let out what is due, in the order in which it was kept."""
        for due, what in self._kept:
            if due > now:
                continue
            if isinstance(what, Send):
                out.messages.append(what)
            else:
                out.effects.append(what)
        self._kept = [each for each in self._kept if each[0] > now]
