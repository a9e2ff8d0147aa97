"""The Byzantine workers of an experiment: the last `f` rows, replaced by what an attack makes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from btard.attacks import Attack, AttackContext


class Attackers:
    """`byzantine` workers who know the step's honest rows and collude.

    `seed` is common to all of them. `aggregate` gives what the server would make of rows (n, k) in a step;
    they know even what it draws. Their own honest rows are kept as far back as the attack looks.
    """

    def __init__(
        self, attack: Attack, byzantine: int, seed: bytes, aggregate: Callable[[int, Tensor], Tensor]
    ) -> None:
        assert byzantine > 0, "nobody attacks: there is nothing to make"
        self._attack = attack
        self._byzantine = byzantine
        self._seed = seed
        self._aggregate = aggregate
        self._own: deque[Tensor] = deque(maxlen=attack.look_back + 1)

    def remember(self, rows: Tensor) -> None:
        """Takes note of a step's honest rows (n, k), whether the step will be attacked or not."""
        if self._attack.look_back:
            self._own.append(rows[-self._byzantine :].clone())

    def forge(self, step: int, rows: Tensor) -> Tensor:
        """New rows (n, k) of which the last are forged; `rows`, what all would send, were remembered."""
        forged = rows.clone()
        count = 1 if self._attack.common else self._byzantine
        made = [self._attack(self._context(step, rows, attacker)) for attacker in range(count)]
        forged[-self._byzantine :] = torch.stack(made)
        return forged

    @property
    def liars(self) -> int:
        """How many workers need gradients on wrong labels in a step that is attacked."""
        return self._byzantine if self._attack.wrong_labels else 0

    def tampering(self, rows: Tensor, forged: Tensor) -> frozenset[int]:
        """The workers whose forged rows are not what an honest one would have sent."""
        own = range(len(rows) - self._byzantine, len(rows))
        return frozenset(i for i in own if self.liars or not torch.equal(rows[i], forged[i]))

    def _context(self, step: int, rows: Tensor, attacker: int) -> AttackContext:
        n = len(rows)
        own = rows[n - self._byzantine + attacker]

        def past(steps: int) -> Tensor:
            return own if steps == 0 else self._own[max(0, len(self._own) - 1 - steps)][attacker]

        def aggregate(vector: Tensor) -> Tensor:
            trial = rows.clone()
            trial[-self._byzantine :] = vector
            return self._aggregate(step, trial)

        return AttackContext(
            own=own,
            step=step,
            seed=self._seed,
            peers=n,
            byzantine=self._byzantine,
            honest=lambda: rows[: n - self._byzantine],
            # Where an attack wants wrong labels, they were put in before the rows were made.
            relabelled=lambda: own,
            past=past,
            aggregate=aggregate,
        )
