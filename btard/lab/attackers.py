"""The Byzantine workers of an experiment: the last rows, replaced by what an attack makes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from btard.attacks import Attack, AttackContext
from btard.lab.experiment import Experiment
from btard.lab.seeds import derive


class Attackers:
    """The last `experiment.byzantine` workers, who collude and know the step's honest rows.

    `attack` is None where the experiment's is "none". `aggregate` says what the server would make of rows
    (n, k) in a step: attackers know the rule, and even what it draws. Their own honest rows are kept as far
    back as the attack looks.
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
        """How many workers, the last ones, take their gradients of `step` on wrong labels."""
        attacking = self._attacking(step)
        return self._experiment.byzantine if attacking and attacking.wrong_labels else 0

    def send(self, step: int, rows: Tensor) -> Tensor:
        """What arrives of the workers' own `rows` (n, k): these, or a copy of which the last are forged.

        The copy is good until the next call. To be called in every step, attacked or not, since attackers
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
        """The workers who in `step` sent something else than an honest one in their place would have."""
        lying = self.liars(step) > 0
        own = range(self._honest, self._experiment.workers)
        return frozenset(i for i in own if lying or not torch.equal(rows[i], sent[i]))

    def _attacking(self, step: int) -> Attack | None:
        return self._attack if self._experiment.attacks_in(step) else None

    def _forged(self, rows: Tensor, forged: Tensor) -> Tensor:
        # One buffer for all steps and trials: the system takes longer to give fresh memory than to copy rows.
        if self._buffer is None:
            self._buffer = torch.empty_like(rows)
        self._buffer.copy_(rows)
        self._buffer[self._honest :] = forged
        return self._buffer

    def _context(self, step: int, rows: Tensor, attacker: int) -> AttackContext:
        own = rows[self._honest + attacker]

        def past(steps: int) -> Tensor:
            return own if steps == 0 else self._past[max(0, len(self._past) - 1 - steps)][attacker]

        def aggregate(vector: Tensor) -> Tensor:
            return self._aggregate(step, self._forged(rows, vector))

        return AttackContext(
            own=own,
            step=step,
            seed=self._seed,
            peers=self._experiment.workers,
            byzantine=self._experiment.byzantine,
            honest=lambda: rows[: self._honest],
            # Where an attack wants wrong labels, they were put in before the rows were made.
            relabelled=lambda: own,
            past=past,
            aggregate=aggregate,
        )
