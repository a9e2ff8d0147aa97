"""Every target by name."""

from __future__ import annotations

from tests.fuzz import file_targets, network_targets, wire_targets
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (*wire_targets.TARGETS, *network_targets.TARGETS, *file_targets.TARGETS)
