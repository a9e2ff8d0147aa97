"""Estimators by name, as specifications write them."""

from __future__ import annotations

from collections.abc import Mapping

from btard.estimators.clipping import Clip
from btard.estimators.estimator import Estimator
from btard.estimators.momentum import PlainGradient, WorkerMomentum
from btard.estimators.mu2 import Mu2
from btard.terms import make, parse_terms

ESTIMATORS: Mapping[str, type[Estimator]] = {
    "gradient": PlainGradient,
    "momentum": WorkerMomentum,
    "mu2": Mu2,
}

AROUND: Mapping[str, type[Estimator]] = {"clip": Clip}
"""Estimators that take the one after them as `base`."""


def parse(text: str) -> Estimator:
    """Return the estimator named `text`: "clip(norm=2)+momentum(beta=0.9)" is Clip(WorkerMomentum(0.9), 2).

    Raises ConfigurationError for unknown names and arguments.
    """
    *around, last = parse_terms(text)
    estimator = make(last, ESTIMATORS, "an estimator")
    for term in reversed(around):
        estimator = make(term, AROUND, "one that goes before another estimator", base=estimator)
    return estimator
