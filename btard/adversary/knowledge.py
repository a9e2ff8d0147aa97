"""What an adversary takes from its engine: the bytes behind digests, and anybody's gradient.

Data, model and seeds are public in BTARD, so a peer that attacks can compute every honest gradient itself:
the omniscient adversary of the literature needs no spy, only n times the work.
"""

from __future__ import annotations

from torch import Tensor

from btard.codec import FP32
from btard.training import Engine
from btard.types import Digest


def own_gradient(engine: Engine, step: int, seed: bytes) -> Tensor:
    """The honest gradient (d,) of (step, seed), kept by the engine for the questions that follow."""
    return engine.gradient_vector(step, seed).clone()


def put(engine: Engine, vector: Tensor) -> Digest:
    """Hold a forged vector (m,) as a blob, ready to be pushed; its digest."""
    return engine.store.put(FP32.encode(vector))


def held(engine: Engine, name: Digest) -> Tensor | None:
    """The vector (m,) of a blob; None if it is not held."""
    data = engine.store.get(name)
    return None if data is None else FP32.decode(data)
