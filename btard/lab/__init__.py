"""The laboratory: training under attack on one device, all workers' gradients in one pass.

run(Experiment(rule="ctma+median", byzantine=7, attack="alie"))     # -> Outcome
"""

from btard.lab.experiment import Experiment
from btard.lab.outcome import Measurement, Outcome, Seconds

__all__ = ["Experiment", "Measurement", "Outcome", "Seconds"]
