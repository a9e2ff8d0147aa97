"""ByzFL's own aggregation rules, if it is installed, without the packages that the rest of it needs.

    pip install --no-deps byzfl==0.0.11 scipy

`import byzfl` also imports its training code, and with it torchvision, matplotlib and seaborn. Its rules need
NumPy, SciPy and torch; so the package is entered here without running its `__init__`. The rules run as they
are.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import Tensor


def rules(f: int) -> dict[str, Callable[[Tensor], Any]]:
    """ByzFL's rules for `f` faulty rows by our names; none if ByzFL or SciPy is missing.

    The geometric median makes ByzFL's default of three iterations, CenteredClip 20 (default: one) from zero.
    """
    found = importlib.util.find_spec("byzfl")
    if found is None or importlib.util.find_spec("scipy") is None:
        return {}
    if "byzfl" not in sys.modules:
        package = ModuleType("byzfl")
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules["byzfl"] = package
    theirs: Any = importlib.import_module("byzfl.aggregators")
    nnm, median = theirs.NNM(f), theirs.Median()
    return {
        "mean": theirs.Average(),
        "median": median,
        "trimmed_mean": theirs.TrMean(f),
        "meamed": theirs.Meamed(f),
        "geometric_median": theirs.GeometricMedian(),
        "centered_clip": theirs.CenteredClipping(L=20, tau=1.0),
        "krum": theirs.Krum(f),
        "multi_krum": theirs.MultiKrum(f),
        "mda": theirs.MDA(f),
        "nnm, mixed rows": nnm,
        "nnm+median": lambda rows: median(nnm(rows)),
    }
