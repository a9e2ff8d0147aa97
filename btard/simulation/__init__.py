"""The simulator: the real machines, engine and wire of a swarm in virtual time, a function of one integer.

`draw_scenario(seed)` chooses who takes part, who cheats and what breaks, `World(scenario).run()` lets it
happen while the checkers look on, and `Outcome.violation` says what did not hold.
"""

from btard.simulation.checker import Checker, Violation
from btard.simulation.checkers import all_checkers
from btard.simulation.drawing import draw_scenario
from btard.simulation.faults import Crash, Cut, Slow, Uplink, Weather
from btard.simulation.outcome import Outcome
from btard.simulation.scenario import Byzantine, Scenario
from btard.simulation.world import World

__all__ = [
    "Byzantine",
    "Checker",
    "Crash",
    "Cut",
    "Outcome",
    "Scenario",
    "Slow",
    "Uplink",
    "Violation",
    "Weather",
    "World",
    "all_checkers",
    "draw_scenario",
]
