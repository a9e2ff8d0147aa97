"""SGD in stages, each from the average of the one before: Restarted-BTARD-SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from btard.errors import ConfigurationError
from btard.training.optimizers.arithmetic import Floats, blocks
from btard.training.optimizers.optimizer import Move, PortableOptimizer, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartedSGD(PortableOptimizer):
    """SGD without momentum in stages, the third variant of Gorbunov et al. 2022, for strongly convex losses.

    `stages` has (K, factor) of each: K updates at `learning_rate` times `factor`, the last of which puts the
    average of the K models of the stage, those that its gradients are taken at, in place of the model; so its
    own gradient is not used. The next stage starts there. After the last stage updates go on at its rate, so
    let a run's length be the sum of the K (`halving`).

    From the paper: stages of BTARD-SGD, each with its number of iterations and stepsize, from the average of
    the stage before. Weight decay, clipping and `schedule` are those of all optimizers here.
    """

    stages: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        super(RestartedSGD, self).__post_init__()
        if not self.stages:
            raise ConfigurationError("stages is empty: give (updates, factor) of each stage")
        for updates, factor in self.stages:
            if updates < 1 or not 0 < factor < math.inf:
                raise ConfigurationError(
                    f"a stage is ({updates}, {factor}): use at least 1 update and a positive factor"
                )

    @property
    def slots(self) -> tuple[str, ...]:
        """The average of the stage's models so far."""
        return ("average",)

    def place(self, count: int) -> tuple[int, int, float]:
        """Return (updates of the stage before this one, updates of the stage that are left with this one,
        factor) of the update that `count` updates came before; nothing is left after the last stage."""
        for updates, factor in self.stages:
            if count < updates:
                return count, updates - count, factor
            count -= updates
        return count, 0, self.stages[-1][1]

    def _update_tensor(
        self, move: Move, weight_decay: float, old: Vectors, gradient: Floats, new: Vectors
    ) -> None:
        before, left, factor = self.place(move.count)
        rate, decay, share = map(np.float32, (move.rate * factor, weight_decay, 1 / (before + 1)))
        for block in blocks(len(gradient)):
            parameters, after = old.parameters[block], new.parameters[block]
            average, spare = new.moments[0][block], move.room[0][: len(parameters)]
            if left == 0:
                np.copyto(average, old.moments[0][block])
            elif before == 0:
                np.copyto(average, parameters)
            else:
                np.subtract(parameters, old.moments[0][block], out=spare)
                np.multiply(spare, share, out=spare)
                np.add(old.moments[0][block], spare, out=average)
            if left == 1:
                np.copyto(after, average)
                continue
            direction = move.gradient(gradient[block])
            if weight_decay:
                direction = np.add(np.multiply(parameters, decay, out=spare), direction, out=after)
            np.subtract(parameters, np.multiply(direction, rate, out=spare), out=after)


def halving(total: int, count: int) -> tuple[tuple[int, float], ...]:
    """Return `count` stages of `total` updates, each twice as long as the one before, at half its rate.

    So each halves the squared distance R^2 to the optimum. The average of K updates at rate γ, with gradients
    of mean square σ^2, has f - f* <= R^2 / (2 γ K) + γ σ^2 / 2 on average: R σ / sqrt(K) for the best γ =
    R / (σ sqrt(K)). With strong convexity μ, μ / 2 times the new squared distance is at most that. Hence K
    grows with (σ / (μ R))^2 and γ with μ R^2 / σ^2: halve R^2, and K doubles and γ halves.

    This derivation is ours, of plain SGD. The paper chooses lengths and stepsizes by constants of the loss
    and of the robust aggregate, which nobody knows for a network; only their ratios are here, so measure the
    first rate.

    Raises ConfigurationError if the first stage would have less than two updates."""
    unit = (1 << max(count, 0)) - 1
    if count < 1 or total < 2 * unit:
        raise ConfigurationError(
            f"{count} stages of {total} updates: use at least 1 stage, and {2 * max(unit, 1)} updates or more"
        )
    lengths = [total * (1 << index) // unit for index in range(count - 1)]
    lengths.append(total - sum(lengths))
    return tuple((length, 0.5**index) for index, length in enumerate(lengths))
