"""Metrics of any name as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping

SHARE = "accuracy"
"""A metric whose name ends so is a share in [0, 1], by custom (`Task.evaluate`)."""


def is_share(name: str) -> bool:
    """Return whether this metric is shown in percent."""
    return name.endswith(SHARE)


def number(value: float) -> str:
    """Return a number in three to six significant digits, in at most 9 characters."""
    size = abs(value)
    if 100 <= size < 100_000:
        return f"{value:.1f}"
    return f"{value:.3f}" if 0.1 <= size < 100 or size == 0 else f"{value:.3g}"


def metric(name: str, value: float) -> str:
    """Return a metric with its name."""
    shown = f"{value:.1%}" if is_share(name) else number(value)
    return f"{name} {shown}"


def metrics_line(metrics: Mapping[str, float]) -> str:
    """Return all metrics in their order, two spaces between."""
    return "  ".join(metric(name, value) for name, value in metrics.items())
