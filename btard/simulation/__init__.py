"""The simulator: the real machines, engine and wire of a swarm in virtual time, a function of one integer.

`draw_scenario(seed)` chooses who takes part, who cheats and what breaks, `World(scenario).run()` lets it
happen while the checkers look on, and `Outcome.violation` says what did not hold.
"""

from btard.simulation.checker import Checker, Violation
from btard.simulation.checkers import all_checkers
from btard.simulation.faults import Crash, Cut, Slow, Weather
from btard.simulation.scenario import Byzantine, Scenario, draw_scenario
from btard.simulation.world import Outcome, World

__all__ = [
    "Byzantine",
    "Checker",
    "Crash",
    "Cut",
    "Outcome",
    "Scenario",
    "Slow",
    "Violation",
    "Weather",
    "World",
    "all_checkers",
    "draw_scenario",
]
