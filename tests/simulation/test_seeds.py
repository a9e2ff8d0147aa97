"""Random scenarios hold, and happen the same way again."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner, Result

from btard.cli import app
from btard.protocol.constants import tolerated
from btard.simulation import World, draw_scenario, runner
from btard.simulation.runner import Overrides, run_seed, run_seeds


@pytest.mark.parametrize("seed", range(30))
def test_random_scenario_holds(seed: int) -> None:
    overrides = Overrides(peers=4 + seed % 4, steps=3)
    outcome = run_seed(seed, overrides)
    assert outcome.violation is None, f"{overrides.command(seed)}\n{outcome.violation.text}"


def test_same_seed_happens_the_same_way_twice() -> None:
    def once() -> tuple[list[tuple[float, int, str]], object]:
        lines: list[tuple[float, int, str]] = []
        world = World(draw_scenario(17), trace=lambda *line: lines.append(line))
        return lines, world.run()

    (first, one), (second, other) = once(), once()
    assert first == second
    assert one == other
    assert len(first) > 100


def test_other_processes_come_to_the_same_ledger() -> None:
    overrides = Overrides(peers=4, steps=2)
    far = {outcome.scenario.seed: outcome.head for outcome in run_seeds(range(4), overrides, processes=2)}
    assert far == {seed: run_seed(seed, overrides).head for seed in range(4)}


def test_drawn_scenarios_stay_within_what_is_tolerated() -> None:
    drawn = [draw_scenario(seed) for seed in range(300)]
    assert all(len(each.faulty) <= tolerated(each.peers) for each in drawn)
    assert any(len(each.faulty) == tolerated(each.peers) == 7 for each in drawn)
    assert {each.peers for each in drawn} == set(range(4, 17))


def test_command_replays_what_was_asked_for() -> None:
    overrides = Overrides(peers=7, steps=4, kinds=("sign_flip", "sign_flip", "silent"))
    words = 'btard simulate --seed 123 --peers 7 --steps 4 --byzantine "sign_flip*2,silent*1"'
    assert overrides.command(123) == words


def simulate(*options: str) -> Result:
    return CliRunner().invoke(app, ["simulate", "--peers", "4", "--steps", "1", *options])


def test_command_line_runs_one_seed_and_traces_it() -> None:
    result = simulate("--seed", "3", "--byzantine", "equivocation(phase=reveal)", "--trace")
    assert result.exit_code == 0, result.output
    assert "banned: equivocation(phase=reveal) for equivocation" in result.output
    assert "has done ComputeGradient" in result.output


def test_command_line_counts_what_happened_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    # Here instead of in processes, which test_runner.py starts.
    monkeypatch.setattr(runner, "run_jobs", lambda seeds, work, _: ((seed, work(seed)) for seed in seeds))
    result = simulate("--seeds", "2", "--byzantine", "silent")
    assert result.exit_code == 0, result.output
    assert "silent" in result.output
    assert "2 of 2 runs, 0 failed" in result.output
    assert re.search(r"record step\W+2\W+2\b", result.output)
    assert re.search(r"part of an honest peer\W+2\W+\d", result.output)
