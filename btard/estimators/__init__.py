"""Gradient estimators: what a worker sends, made from its stochastic gradients; pure functions of tensors.

    WorkerMomentum(beta=0.9).estimate(step, previous, gradient)     # the message, of the gradient's shape
    parse("clip(norm=2)+mu2")                                        # by name, composed

A worker's last message is all the state there is. Everything is by coordinate or by row, so one call serves
one worker, (d,), or all of them, (n, d).
"""

from btard.estimators.averaging import AnytimeAveraging
from btard.estimators.clipping import Clip
from btard.estimators.estimator import Estimator
from btard.estimators.momentum import PlainGradient, WorkerMomentum
from btard.estimators.mu2 import Mu2
from btard.estimators.naming import AROUND, ESTIMATORS, parse

__all__ = [
    "AROUND",
    "ESTIMATORS",
    "AnytimeAveraging",
    "Clip",
    "Estimator",
    "Mu2",
    "PlainGradient",
    "WorkerMomentum",
    "parse",
]
