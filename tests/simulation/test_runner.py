"""Many seeds: a killed process costs its own seed, which is reported with the command that replays it."""

from __future__ import annotations

import os
import re
import signal

import pytest

from btard.errors import ConfigurationError
from btard.simulation import Outcome
from btard.simulation.report import show_seeds
from btard.simulation.runner import Overrides, run_seed, run_seeds

KILLED = 2


def killed_in_one_seed(seed: int, overrides: Overrides) -> Outcome:
    """As a machine without memory does."""
    if seed == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    return run_seed(seed, overrides)


def test_seed_whose_process_is_killed_is_shown_with_its_replay_and_the_rest_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not show_seeds(1, 2, Overrides(peers=4, steps=1), killed_in_one_seed)
    output = capsys.readouterr().out
    assert "FAILED (the process) its process was killed by SIGKILL" in output
    assert output.count("replay: btard simulate --seed 2 --peers 4 --steps 1") == 1
    assert re.search(r"all\W+2\b", output)


def test_overrides_that_no_seed_can_have_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at most 1 are tolerated"):
        list(run_seeds(range(2), Overrides(peers=4, steps=1, kinds=("silent", "silent"))))
