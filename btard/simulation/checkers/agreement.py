"""Honest peers agree: on the ledger, on the state after it, on the model."""

from __future__ import annotations

from btard.machine import Adopt, Effect
from btard.node.driver import Work
from btard.protocol.outputs import Diverged, Recorded
from btard.protocol.record import STEP
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers.looking import records_of
from btard.simulation.host import Host
from btard.types import Digest


class LedgerAgreement(Checker):
    """Honest peers write the same ledger: the same record and the same state after it at each index (roster,
    aggregates, coin, scalars, model digest). And nobody honest finds that its model is not the swarm's."""

    name = "agreement"

    def __init__(self) -> None:
        self._first: dict[int, tuple[int, Recorded]] = {}

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        if not host.honest:
            return None
        for output in work.outputs:
            if isinstance(output, Diverged):
                return f"peer {host.index} has another model than the swarm after step {output.step}"
            if isinstance(output, Recorded):
                other, first = self._first.setdefault(output.entry.record.index, (host.index, output))
                if first.entry.record != output.entry.record or first.state != output.state:
                    return (
                        f"peers {other} and {host.index} disagree on record {output.entry.record.index}: "
                        f"{first.entry.record} and {output.entry.record}"
                    )
        return None


class Models(Checker):
    """The model that an honest peer adopts has the certified digest."""

    name = "models"

    def __init__(self) -> None:
        self._certified: dict[int, Digest] = {}

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in records_of(host, work):
            record = recorded.entry.record
            if record.kind == STEP:
                self._certified.setdefault(record.step, Digest(record.model))
        return None

    def worked(self, scene: Scene, host: Host, effect: Effect) -> str | None:
        if not host.honest or not isinstance(effect, Adopt):
            return None
        if host.engine.model_digest != self._certified.get(effect.step):
            return f"peer {host.index} adopts a model after step {effect.step} that nobody certified"
        return None
