"""The laboratory: training under attack on one device, all workers' gradients in one pass.

    run(Experiment(rule="ctma+median", byzantine=7, attack="alie"))     # -> Outcome

`check` says before any training whether an experiment can be.
"""

from btard.lab.experiment import Experiment
from btard.lab.outcome import Measurement, Outcome, Seconds
from btard.lab.plan import check
from btard.lab.training import run

__all__ = ["Experiment", "Measurement", "Outcome", "Seconds", "check", "run"]
