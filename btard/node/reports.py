"""Reports of the phase under way, on timers: where it is, and whom it waits for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from btard.node.gauge import Gauge
from btard.protocol.attempt import AttemptMachine
from btard.protocol.constants import ASK_SHARE
from btard.run.events import InPhase, Stalled
from btard.types import PeerId

STALL_S = 1.0
"""Interval between reports of a phase that lasts, in seconds; the first comes with the machine's tick."""

PHASE_S = 1.0
"""Interval between reports of the phase under way, in seconds, whatever it is."""


class Reports:
    """Reports of the peer `me`, whose worker `gauge` reads; `attempt()` is the attempt under way,
    `now()` the machine's time.

    `stalled` is called each second while a phase lasts longer than ASK_SHARE of phase_s, `working` each
    second from `begin` on, all in the loop. Without them there are no timers but the protocol's: others would
    change the order of those of one instant, which matters in virtual time."""

    def __init__(
        self, me: PeerId, attempt: Callable[[], AttemptMachine], gauge: Gauge, now: Callable[[], float]
    ) -> None:
        self.stalled: Callable[[Stalled], None] | None = None
        self.working: Callable[[InPhase], None] | None = None
        self._me = me
        self._attempt = attempt
        self._gauge = gauge
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._stall_timer: asyncio.TimerHandle | None = None
        self._phase_timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def begin(self) -> None:
        """Begin to report phases: the first attempt has begun."""
        if self.working is not None and not self._stopped:
            self._report_phase(self.working)

    def ticked(self) -> None:
        """Look whether the phase stalls, after a tick of the machine."""
        if self._stall_timer is None and self.stalled is not None:
            self._report_stall(self.stalled)

    def stop(self) -> None:
        """Report nothing any more."""
        self._stopped = True
        for timer in (self._stall_timer, self._phase_timer):
            if timer is not None:
                timer.cancel()

    def _missing(self, attempt: AttemptMachine) -> tuple[str, ...]:
        return tuple(peer.hex() for peer in attempt.awaited if peer != self._me)

    def _report_phase(self, report: Callable[[InPhase], None]) -> None:
        attempt = self._attempt()
        report(
            InPhase(
                step=attempt.state.step,
                attempt=attempt.state.attempt,
                phase=attempt.phase,
                in_dispute=attempt.in_dispute,
                waited_s=max(0.0, attempt.waited(self._now())),
                work=self._gauge.at,
                share=self._gauge.share,
                missing=self._missing(attempt),
            )
        )
        if not self._stopped:
            self._phase_timer = self._loop.call_later(PHASE_S, self._report_phase, report)

    def _report_stall(self, report: Callable[[Stalled], None]) -> None:
        self._stall_timer = None
        now, attempt = self._now(), self._attempt()
        waited_s = attempt.waited(now)
        limit_s = min(attempt.state.patience_s(attempt.phase), attempt.state.config.phase_s)
        due_s = ASK_SHARE * limit_s - 1e-6  # floats round
        if not self._stopped and waited_s >= due_s:
            report(
                Stalled(
                    step=attempt.state.step,
                    attempt=attempt.state.attempt,
                    phase=attempt.phase,
                    missing=self._missing(attempt),
                    waited_s=waited_s,
                    dispute_in_s=max(0.0, attempt.hard - now),
                )
            )
            self._stall_timer = self._loop.call_later(STALL_S, self._report_stall, report)
