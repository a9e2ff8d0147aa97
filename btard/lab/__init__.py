"""The laboratory: training under attack on one device, all workers' gradients in one pass.

    run(Experiment(rule="ctma+median", byzantine=7, attack="alie"))     # -> Outcome

`prepare` refuses, before any training, an experiment that cannot be trained.
"""

from btard.lab.experiment import Experiment
from btard.lab.outcome import Measurement, Outcome, Seconds
from btard.lab.setup import Setup, prepare
from btard.lab.training import run

__all__ = ["Experiment", "Measurement", "Outcome", "Seconds", "Setup", "prepare", "run"]
