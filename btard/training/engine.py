"""The engine: gradients, aggregates, projections and updates, as plain methods on digests.

Each method performs one effect of the protocol machines. Vectors come and go as blobs in a store;
what the protocol sees are digests and scalars. Gradients and aggregates, and what is cut of them, are in
the mixed order (`order.py`); the model, its state and its checkpoints keep the model's. Everything is a
function of the arguments and of the model that they name: a gradient may be asked for again, in any
order, for the current step or the one before, and the model is not disturbed.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from btard.aggregators import CenteredClip
from btard.codec import FP32, Codec
from btard.errors import ConfigurationError
from btard.memory import floats, is_mapped, octets, trim
from btard.parts import split_sizes, window, windows
from btard.training.bench import Bench
from btard.training.checkpoints import Checkpoint
from btard.training.optimizers import PortableOptimizer
from btard.training.optimizers.arithmetic import Floats
from btard.training.order import Order
from btard.training.portable_state import PortableState
from btard.training.projection import project
from btard.training.recipe import Recipe
from btard.training.start import build
from btard.training.state import State
from btard.training.store import BlobStore
from btard.training.torch_state import TorchState
from btard.types import Digest, Scalars

GRADIENTS_HELD_MAX = 4
"""Whole gradients kept for a second question: one's own and a target's, of two steps."""

PROJECTION_DOMAIN = "projection"


class Engine:
    """Trains the task of a recipe from x_0 = `task.build(seed)`.

    Three copies of the model live here: the current x_t with its optimizer, the candidate for
    x_(t+1) from an update until it is adopted or another update, and a bench on the device, on which
    gradients are taken; of x_(t-1) only the parameters are kept. benchmarks/README.md says what each copy
    is for. One call at a time.
    """

    def __init__(
        self, recipe: Recipe, store: BlobStore, seed: bytes, device: str = "cpu", codec: Codec = FP32
    ) -> None:
        self._recipe = recipe
        self.store = store
        self.codec = codec
        self.bench = Bench(recipe, seed, torch.device(device))
        self._current, self._spare = self._state(seed), self._state(seed)
        self._spare.rest()
        self._vector = self._current.vector()
        self.order = Order(self._vector.numel(), seed)
        self._previous: Tensor | None = None
        self._aggregates: list[Floats] = []
        self._candidate: tuple[int, list[Floats]] | None = None
        self._gradients: OrderedDict[tuple[int, bytes], Tensor] = OrderedDict()
        self._step = 0
        self.training_loss: float | None = None
        """The mean loss of the last gradient that `gradient` was asked for; None before the first."""

    # ------------------------------------------------------------ what is

    @property
    def step(self) -> int:
        """The step t of the current model x_t."""
        return self._step

    @property
    def dimension(self) -> int:
        """The number d of trainable parameters."""
        return self._vector.numel()

    @property
    def parameters(self) -> Tensor:
        """The parameters x_t as a float32 vector (d,), copied."""
        return self._vector.clone()

    @property
    def model_digest(self) -> Digest:
        """The digest of x_t with its optimizer and schedule: what a newcomer must arrive at."""
        return self._current.digest()

    @property
    def on_micro_batch(self) -> Callable[[int, int], None] | None:
        """What is told how far a gradient is, own or recomputed: `Bench.on_micro_batch`."""
        return self.bench.on_micro_batch

    @on_micro_batch.setter
    def on_micro_batch(self, told: Callable[[int, int], None] | None) -> None:
        self.bench.on_micro_batch = told

    def model_tensors(self) -> dict[str, Tensor]:
        """The state_dict of x_t as the task builds it, buffers included, copied to the CPU."""
        tensors = self.bench.tensors(self._vector)
        self.bench.rest()
        return tensors

    def evaluate(self) -> dict[str, float]:
        """The task's metrics of x_t on held-out data, by name."""
        metrics = self.bench.evaluate(self._vector)
        self.bench.rest()
        return metrics

    # ------------------------------------------------------------ effects

    def gradient(self, step: int, seed: bytes, parts: int) -> tuple[Digest, ...]:
        """Store the gradient of (step, seed) in `parts` blobs; their digests in order."""
        known = (step, seed) in self._gradients
        gradient = self.gradient_vector(step, seed)
        if not known:  # another attempt at a step asks for the same gradient again
            self.training_loss = self.bench.loss
        # The blobs are the gradient's own memory: nobody writes to a gradient that is made.
        spans = windows(self.dimension, parts)
        return self.store.put_all([self.codec.share(gradient[start : start + size]) for start, size in spans])

    def aggregate(self, rows: tuple[Digest, ...], tau: float) -> tuple[Digest | None, tuple[int, ...]]:
        """CenteredClip over the blobs `rows` of one part, in order, stored as a blob.

        Returns (its digest, ()), or (None, indices of the rows that are not held, not finite, or of
        another size than most rows are): their senders committed to them.
        """
        vectors = [self._held(row) for row in rows]
        sizes = Counter(len(vector) for vector in vectors if vector is not None)
        size = sizes.most_common(1)[0][0] if sizes else 0
        valid = {i: vector for i, vector in enumerate(vectors) if vector is not None and len(vector) == size}
        if len(valid) < len(rows) or not rows:
            return None, tuple(i for i in range(len(rows)) if i not in valid)
        rows_ND = np.stack(list(valid.values()), out=floats(len(rows) * size).reshape(len(rows), size))
        aggregate = CenteredClip(tau=tau)(torch.from_numpy(rows_ND))
        body = octets(self.codec.size_bytes(size))
        body[:] = np.frombuffer(self.codec.share(aggregate), np.uint8)
        return self.store.put(body.data.toreadonly()), ()

    def project(
        self, step: int, seed: bytes, aggregates: tuple[Digest, ...], coin: bytes, tau: float
    ) -> tuple[Scalars, ...]:
        """The scalars of the gradient of (step, seed) against the aggregate of each part.

        Raises ConfigurationError where an aggregate is not held, of a wrong size or not finite.
        """
        gradient = self.gradient_vector(step, seed)
        centres = self._parts(aggregates)
        result: list[Scalars] = []
        for (start, size), centre in zip(windows(self.dimension, len(aggregates)), centres, strict=True):
            row = gradient[start : start + size]
            result += project([row], centre, tau, coin, PROJECTION_DOMAIN, self._recipe.projections, start)
        return tuple(result)

    def project_rows(
        self, part: int, parts: int, rows: tuple[Digest, ...], aggregate: Digest, coin: bytes, tau: float
    ) -> tuple[Scalars | None, ...]:
        """The scalars of each row blob of a part against its aggregate.

        None at a row that is not held, of a wrong size or not finite; at every row where the aggregate
        itself is.
        """
        start, size = window(self.dimension, parts, part)
        centre = self._held(aggregate, size)
        if centre is None:
            return (None,) * len(rows)
        vectors = [self._held(row, size) for row in rows]
        valid = [vector for vector in vectors if vector is not None]
        scalars = iter(project(valid, centre, tau, coin, PROJECTION_DOMAIN, self._recipe.projections, start))
        return tuple(None if vector is None else next(scalars) for vector in vectors)

    def recompute(
        self, step: int, seed: bytes, aggregates: tuple[Digest, ...], coin: bytes, tau: float
    ) -> tuple[tuple[Scalars, ...], float]:
        """What the peer with `seed` should have published in `step`, and the norm of its whole gradient."""
        scalars = self.project(step, seed, aggregates, coin, tau)
        return scalars, math.sqrt(sum(part.row**2 for part in scalars))

    def fingerprint(self, step: int, seed: bytes, coin: bytes) -> Scalars:
        """Projections of the whole gradient of (step, seed) on fresh directions, and its norm."""
        gradient = self.gradient_vector(step, seed)
        return project([gradient], None, math.inf, coin, "fingerprint", self._recipe.projections, 0)[0]

    def update(self, step: int, aggregates: tuple[Digest, ...]) -> Digest:
        """Apply the aggregates to a copy of x_t; the digest of this candidate for x_(t+1).

        Asked again, starts again from x_t. Raises ConfigurationError where `step` is not the current
        one or an aggregate is not valid, as `project` does.
        """
        if step != self._step:
            raise ConfigurationError(f"cannot update step {step}: the model is at step {self._step}")
        parts = self._parts(aggregates)
        # What was asked of earlier gradients is answered by now; a further attempt computes them again.
        self._forget_gradients(step)
        self._candidate = None
        self._spare.rest()
        self._spare.advance(self._current, self.order.unmix(parts))
        self._candidate = step, parts
        return self._spare.digest()

    def adopt(self, step: int, keep: tuple[Digest, ...] = ()) -> None:
        """Make the candidate the model. x_step stays for recomputation, nothing older does; blobs that
        `keep` does not name are forgotten."""
        if self._candidate is None or self._candidate[0] != step:
            raise ConfigurationError(f"cannot adopt step {step}: there is no candidate for it")
        self._aggregates = self._candidate[1]
        self._candidate = None
        self._current, self._spare = self._spare, self._current
        self._spare.rest()
        self._previous, self._vector = self._vector, self._current.vector()
        self._step = step + 1
        self._forget_gradients(step)
        self.store.retain(keep)

    # ------------------------------------------------------------ checkpoints

    def checkpoint(self) -> Checkpoint:
        """x_t with optimizer and schedule, and the aggregate that led there; None at x_0 or when restored.

        It never changes, and a portable recipe's shares the engine's memory: as long as it is kept, the
        engine makes its next states in other memory. Do not write to it."""
        aggregate = self.order.unmix(self._aggregates) if self._aggregates else None
        return Checkpoint(self._step, self._current.export(), aggregate)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint's model. Gradients of the step before it cannot be recomputed afterwards."""
        self._current.restore(checkpoint.state)
        self._vector = self._current.vector()
        self._step = checkpoint.step
        self._previous = self._candidate = None
        self._aggregates = []
        self._gradients.clear()

    # ------------------------------------------------------------ inside

    def _state(self, seed: bytes) -> State:
        """Return the state at x_0."""
        recipe, name = self._recipe, self._recipe.task.name
        if isinstance(recipe.optimizer, PortableOptimizer):
            return PortableState(self.bench.module, recipe.optimizer, name)
        return TorchState(
            build(recipe.task, seed).to(self.bench.device), recipe.optimizer, recipe.scheduler, name
        )

    def _forget_gradients(self, step: int) -> None:
        """Forget the gradients of the steps before this one."""
        for key in [key for key in self._gradients if key[0] < step]:
            del self._gradients[key]

    def _parts(self, aggregates: tuple[Digest, ...]) -> list[Floats]:
        """The vectors of all aggregates. Raises ConfigurationError if one is not valid."""
        sizes = split_sizes(self.dimension, len(aggregates))
        vectors = [self._held(name, size) for name, size in zip(aggregates, sizes, strict=True)]
        valid = [vector for vector in vectors if vector is not None]
        if len(valid) < len(vectors):
            parts = [part for part, vector in enumerate(vectors) if vector is None]
            raise ConfigurationError(
                f"the aggregates of parts {parts} are not held or not valid: fetch them first"
            )
        return valid

    def _held(self, name: Digest, size: int | None = None) -> Floats | None:
        """Return the vector of a blob, None if it is not held, not finite or not of `size` coordinates."""
        data = self.store.get(name)
        if data is None or (size is not None and len(data) != self.codec.size_bytes(size)):
            return None
        return self.codec.read(data) if self.codec.is_valid(data) else None

    def gradient_vector(self, step: int, seed: bytes) -> Tensor:
        """Return the gradient (d,) of (step, seed) in the mixed order, kept for the questions that follow."""
        key = (step, seed)
        if key not in self._gradients:
            self._gradients[key] = self.compute_gradient(step, seed)
            if len(self._gradients) > GRADIENTS_HELD_MAX:
                self._gradients.popitem(last=False)
        self._gradients.move_to_end(key)
        return self._gradients[key]

    def _model_of(self, step: int) -> Tensor:
        if step == self._step:
            return self._vector
        if step == self._step - 1 and self._previous is not None:
            return self._previous
        raise ConfigurationError(
            f"the model of step {step} is not kept: at step {self._step} only it and the one before are"
        )

    def compute_gradient(self, step: int, seed: bytes) -> Tensor:
        """Compute the gradient (d,) of (step, seed), in the mixed order, and keep nothing."""
        gradient = self.bench.gradient(self._model_of(step), seed)
        self.bench.rest()
        if is_mapped(self.dimension):
            trim()  # of activations, before an update needs as much
        return self.order.mix(gradient)
