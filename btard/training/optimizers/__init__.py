"""Portable optimizers: an update that is the same bits on all hardware, named by its arguments alone."""

from __future__ import annotations

from btard.training.optimizers.adamw import AdamW
from btard.training.optimizers.lamb import LAMB
from btard.training.optimizers.optimizer import NO_DECAY, PortableOptimizer, Segment, Vectors
from btard.training.optimizers.restarted import RestartedSGD, halving
from btard.training.optimizers.schedule import Constant, Decay, Schedule, WarmupCosine, WarmupLinear
from btard.training.optimizers.sgd import SGD

__all__ = [
    "LAMB",
    "NO_DECAY",
    "SGD",
    "AdamW",
    "Constant",
    "Decay",
    "PortableOptimizer",
    "RestartedSGD",
    "Schedule",
    "Segment",
    "Vectors",
    "WarmupCosine",
    "WarmupLinear",
    "halving",
]
