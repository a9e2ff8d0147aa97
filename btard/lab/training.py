"""`run`: one experiment from start to end."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter

import torch
from torch import Tensor, nn

from btard.aggregators import NonFiniteRows
from btard.lab.aggregation import ByCode
from btard.lab.attackers import Attackers
from btard.lab.experiment import Experiment
from btard.lab.gradients import FlatModel
from btard.lab.outcome import Measurement, Outcome, Seconds
from btard.lab.sampling import Batches
from btard.lab.seeds import derive, derive_number, generator
from btard.lab.server import AveragingServer, SgdServer
from btard.lab.setup import Setup, prepare
from btard.lab.stopwatch import Stopwatch
from btard.lab.workers import CodedWorkers, EstimatingWorkers
from btard.training.determinism import seeded
from btard.training.device import check_device
from btard.training.task import Task


def run(
    experiment: Experiment,
    device: str = "cpu",
    on_step: Callable[[int], None] | None = None,
    *,
    on_measurement: Callable[[Measurement, nn.Module], None] | None = None,
    clock: Callable[[], float] = perf_counter,
) -> Outcome:
    """Train as `experiment` says on `device`, and return the outcome.

    The outcome, except its seconds, is a function of the experiment, the versions of torch and numpy, and the
    kind of device, which has no influence on random draws. `on_step` is called after each step with the
    number of steps done, `on_measurement` with each measurement and the model in eval mode; copy the model to
    keep it. `clock` gives seconds.

    Attackers forge the messages, after the estimator, as in ByzFL and CTMA's code. Batches are drawn with
    replacement from the worker's samples. Thread counts are the caller's.

    Raises ConfigurationError before training if that is impossible; see `btard.lab.prepare`.
    """
    setup = prepare(experiment)
    place = torch.device(check_device(device))
    with seeded(derive(experiment.seed, "torch"), place):
        model = FlatModel(setup.task.build(derive(experiment.seed, "parameters")).to(place))
        examine = partial(_measure, setup.task, model, on_measurement)
        return _train(experiment, setup, model, examine, on_step, Stopwatch(clock, place))


def _train(
    experiment: Experiment,
    setup: Setup,
    model: FlatModel,
    examine: Callable[[int, Tensor], Measurement],
    on_step: Callable[[int], None] | None,
    watch: Stopwatch,
) -> Outcome:
    server = _server(experiment, setup, model)
    workers = _workers(experiment, setup, model)
    attackers = Attackers(experiment, setup.attack, setup.aggregation.trial)
    diverged: int | None = None
    decode_errors = 0
    with watch("total"):
        measurements = [examine(0, server.parameters)]
        for step in range(experiment.steps):
            rows = workers.rows(step, server.parameters, attackers.liars(step), watch)
            try:
                with watch("attack"):
                    sent = attackers.send(step, rows)
                with watch("aggregate"):
                    aggregate = setup.aggregation.aggregate(step, sent)
            except NonFiniteRows:
                diverged = step
                break
            if aggregate.named is not None:
                named_rightly = aggregate.named == attackers.tampering(step, rows, sent)
                decode_errors += aggregate.vector is None or not named_rightly
            if aggregate.vector is not None:
                server.advance(step, aggregate.vector)
            if not bool(server.parameters.isfinite().all()):
                diverged = step
                break
            if (step + 1) % experiment.evaluate_every == 0 or step + 1 == experiment.steps:
                measurements.append(examine(step + 1, server.parameters))
            if on_step:
                on_step(step + 1)
    if diverged is not None:
        measurements.append(Measurement(experiment.steps, math.inf, 1.0 / setup.task.data.classes))
    names = ("gradients", "encode", "attack", "aggregate", "total")
    seconds = Seconds(**{name: watch.seconds[name] for name in names})
    return Outcome(tuple(measurements), seconds, diverged, decode_errors)


def _server(experiment: Experiment, setup: Setup, model: FlatModel) -> SgdServer | AveragingServer:
    if setup.estimator.averaging is None:
        return SgdServer(model.parameters(), experiment)
    return AveragingServer(model.parameters(), experiment, setup.estimator.averaging)


def _workers(experiment: Experiment, setup: Setup, model: FlatModel) -> EstimatingWorkers | CodedWorkers:
    data = setup.task.data
    seed = derive_number(experiment.seed, "partition")
    held = setup.partition.split(data.train_labels.numpy(), experiment.workers, seed)
    draws = generator(experiment.seed, "batches")
    batches = Batches(data, held, experiment.batch_size, draws, model.device)
    if isinstance(setup.aggregation, ByCode):
        return CodedWorkers(model, batches, setup.estimator, setup.aggregation.code)
    return EstimatingWorkers(model, batches, setup.estimator)


def _measure(
    task: Task,
    model: FlatModel,
    on_measurement: Callable[[Measurement, nn.Module], None] | None,
    step: int,
    parameters_D: Tensor,
) -> Measurement:
    module = model.at(parameters_D).eval()
    with torch.no_grad():
        metrics = task.evaluate(module)
    # Finite but huge parameters give a loss that is not finite.
    loss = metrics["loss"] if math.isfinite(metrics["loss"]) else math.inf
    measurement = Measurement(step, loss, metrics["accuracy"])
    if on_measurement:
        on_measurement(measurement, module)
    module.train()
    return measurement
