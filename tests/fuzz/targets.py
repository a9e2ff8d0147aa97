"""Every target by name."""

from __future__ import annotations

from tests.fuzz import entrance_targets, file_targets, network_targets, wire_targets
from tests.fuzz.material import PEERS
from tests.fuzz.sequences import another, kept_bytes_max, read_sequence
from tests.fuzz.swarms import read_swarm
from tests.fuzz.target import Target
from tests.rig import CONFIG

DECODERS: tuple[Target, ...] = (
    *wire_targets.TARGETS,
    *network_targets.TARGETS,
    *entrance_targets.TARGETS,
    *file_targets.TARGETS,
)

KEPT_BYTES_MAX = kept_bytes_max(PEERS, CONFIG.directions)

MACHINES: tuple[Target, ...] = (
    Target(
        "sequence", lambda: [b"0"], read_sequence, mutate=another, memory_bytes=KEPT_BYTES_MAX, counts_as=10
    ),
    Target("swarm", lambda: [b"0"], read_swarm, mutate=another, memory_bytes=KEPT_BYTES_MAX, counts_as=200),
)
"""Their inputs are seeds: a sequence of events and a run of a swarm are all that follows from one."""

TARGETS: tuple[Target, ...] = (*DECODERS, *MACHINES)
