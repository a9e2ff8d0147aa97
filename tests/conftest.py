"""What holds for every test: one compute thread, and property tests that give the same verdict twice."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Read by torch when it is imported and inherited by every process that a test starts: the swarm tests
# run many peers, and a sum must not depend on the number of cores of the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadlines, since a busy machine is no defect. `default` draws the same examples every time;
# `pytest --hypothesis-profile=explore` looks further, and prints how to reproduce what it finds.
settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("default")
