"""The Byzantine workers of an experiment: an attack replaces the last rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from btard.attacks import Attack, AttackContext
from btard.lab.experiment import Experiment
from btard.lab.seeds import derive


class Attackers:
    """The last `experiment.byzantine` workers, which collude and know the step's honest rows.

    `attack` is None if the experiment's is "none". `aggregate(step, rows)` is the server's aggregate of rows
    (n, k): attackers know the rule and even its random draws. Their own honest rows are kept as far back as
    the attack looks.
    """

    def __init__(
        self, experiment: Experiment, attack: Attack | None, aggregate: Callable[[int, Tensor], Tensor]
    ) -> None:
        self._experiment = experiment
        self._attack = attack
        self._aggregate = aggregate
        self._honest = experiment.workers - experiment.byzantine
        self._seed = derive(experiment.seed, "attack")
        self._buffer: Tensor | None = None
        self._past: deque[Tensor] = deque(maxlen=attack.look_back + 1 if attack else 0)

    def liars(self, step: int) -> int:
        """Return how many of the last workers take their gradients of `step` on wrong labels."""
        attacking = self._attacking(step)
        return self._experiment.byzantine if attacking and attacking.wrong_labels else 0

    def send(self, step: int, rows: Tensor) -> Tensor:
        """Return the rows that arrive: the workers' own `rows` (n, k), or a copy whose last rows are forged.

        The copy is valid until the next call. Call it in every step, attacked or not, because attackers
        remember their own rows.
        """
        if self._attack and self._attack.look_back:
            self._past.append(rows[self._honest :].clone())
        attacking = self._attacking(step)
        if attacking is None:
            return rows
        count = 1 if attacking.common else self._experiment.byzantine
        made = [attacking(self._context(step, rows, attacker)) for attacker in range(count)]
        return self._forged(rows, torch.stack(made))

    def tampering(self, step: int, rows: Tensor, sent: Tensor) -> frozenset[int]:
        """Return the workers whose message of `step` differs from an honest one in their place."""
        lying = self.liars(step) > 0
        own = range(self._honest, self._experiment.workers)
        return frozenset(i for i in own if lying or not torch.equal(rows[i], sent[i]))

    def _attacking(self, step: int) -> Attack | None:
        return self._attack if self._experiment.attacks_in(step) else None

    def _forged(self, rows: Tensor, forged: Tensor) -> Tensor:
        # One buffer for all steps and trials: fresh memory takes longer than a copy of the rows.
        if self._buffer is None:
            self._buffer = torch.empty_like(rows)
        self._buffer.copy_(rows)
        self._buffer[self._honest :] = forged
        return self._buffer

    def _context(self, step: int, rows: Tensor, attacker: int) -> AttackContext:
        own = rows[self._honest + attacker]

        def past(steps: int) -> Tensor:
            return own if steps == 0 else self._past[max(0, len(self._past) - 1 - steps)][attacker]

        return AttackContext(
            own=own,
            step=step,
            seed=self._seed,
            peers=self._experiment.workers,
            byzantine=self._experiment.byzantine,
            honest=lambda: rows[: self._honest],
            # The rows of an attack with wrong labels were made with them.
            relabelled=lambda: own,
            past=past,
            aggregate=lambda vector: self._aggregate(step, self._forged(rows, vector)),
        )
