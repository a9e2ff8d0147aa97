"""The effects of one attempt: each is asked for once, and its result kept."""

from __future__ import annotations

from typing import Any, cast

from btard.machine import Effect, EffectOf
from btard.machine.effects import R


class Results:
    """`of` answers at once; `asked` collects the effects that the driver has yet to hear of."""

    def __init__(self) -> None:
        self._results: dict[Effect, Any] = {}
        self._known: set[Effect] = set()
        self._asked: list[Effect] = []

    def of(self, effect: EffectOf[R]) -> R | None:
        """Return the effect's result, None until it is there. Asks for it the first time."""
        if effect not in self._known:
            self._known.add(effect)
            self._asked.append(effect)
        return cast("R | None", self._results.get(effect))

    def asked(self) -> list[Effect]:
        """Return the effects asked for since this was called last, in order."""
        asked, self._asked = self._asked, []
        return asked

    def done(self, effect: EffectOf[R], result: R) -> None:
        """Keep the result of an effect."""
        self._results[effect] = result
