"""Many seeds: a killed process costs its own seed, which is reported with the command that replays it."""

from __future__ import annotations

import os
import signal

import pytest

from btard.errors import ConfigurationError
from btard.simulation import Outcome
from btard.simulation.report import show_seeds
from btard.simulation.runner import Wish, run_seed, run_seeds

WISH = Wish(peers=4, steps=1)
KILLED = 2


def killed_in_one_seed(seed: int, wish: Wish) -> Outcome:
    """As a machine without memory does."""
    if seed == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    return run_seed(seed, wish)


def test_seed_whose_process_is_killed_has_failed_and_the_rest_goes_on() -> None:
    outcomes = {each.scenario.seed: each for each in run_seeds(range(1, 4), WISH, 1, killed_in_one_seed)}
    assert sorted(outcomes) == [1, 2, 3]
    assert outcomes[1] == run_seed(1, WISH)
    violation = outcomes[KILLED].violation
    assert violation is not None
    assert violation.text == "its process was killed by SIGKILL"


def test_seed_whose_process_is_killed_is_shown_with_the_command_that_replays_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not show_seeds(1, 3, WISH, killed_in_one_seed)
    output = capsys.readouterr().out
    assert "FAILED (the process) its process was killed by SIGKILL" in output
    assert output.count("replay: btard simulate --seed 2 --peers 4 --steps 1") == 1


def test_wish_that_no_seed_can_grant_is_refused() -> None:
    wish = Wish(peers=4, steps=1, kinds=("silent", "silent"))
    with pytest.raises(ConfigurationError, match="at most 1 are tolerated"):
        list(run_seeds(range(2), wish))
