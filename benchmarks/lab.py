"""How many steps a second the laboratory trains, beside 16 processes that do the same work.

    python -m benchmarks.lab [--steps 50] [--repetitions 5] [--jobs CORES]

The processes speak over torch.distributed (gloo, on this machine), one thread each: a worker's gradient by
autograd, an all-gather of the rows, then rank 0 forges the attackers' rows, aggregates and broadcasts the
result, and every process gives it to an SGD of its own. Beside it a parameter server, cheaper: rows are only
gathered by rank 0. Batches, initial model, attack and rule are the laboratory's, and that all end with the
same parameters is checked. Start-up is not timed; the laboratory's evaluations are. Repetitions alternate, so
that all see the same machine.

The laboratory runs on one thread, alone and then `--jobs` experiments at once, one a core, as the arena runs
them: then both sides have the whole machine. Must hold: at least 10 times the steps per second of the
all-gather, machine against machine. Printed, and written to benchmarks/results/ as Markdown and JSON; the
exit status is 1 if it does not hold.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from time import perf_counter

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from benchmarks.machine import describe, in_words, keep
from btard.lab import Experiment, Measurement, prepare, run
from btard.lab.attackers import Attackers
from btard.lab.sampling import Batches
from btard.lab.seeds import derive, derive_number, generator
from btard.pool import cores
from btard.training.vector import unflatten_into

BAR = 10.0
TOLERANCE = 1e-4
PATIENCE_S = 300.0
"""For the other side; longer means that it crashed."""
CASES = (
    Experiment(),
    Experiment(rule="median", byzantine=3, attack="sign_flip", momentum=0.9, learning_rate=0.02),
    Experiment(rule="centered_clip(tau=1)", byzantine=7, attack="ipm", momentum=0.9, learning_rate=0.02),
)
Exchange = Callable[[int, Tensor, Tensor], None]
Answer = tuple[float, NDArray[np.float32]]


def everyone(rank: int, row_D: Tensor, rows_ND: Tensor) -> None:
    """Every process gets all rows, as peers do, and attackers who know the honest rows must."""
    dist.all_gather(list(rows_ND), row_D)


def server(rank: int, row_D: Tensor, rows_ND: Tensor) -> None:
    """Rank 0 gets all rows."""
    dist.gather(row_D, list(rows_ND) if rank == 0 else None, dst=0)


EXCHANGES: dict[str, Exchange] = {"all_gather": everyone, "gather": server}


def process(
    rank: int, cases: list[Experiment], repetitions: int, store: str, go: Barrier, answers: Queue[Answer]
) -> None:
    """One of the processes: trains every case in turn whenever all others and the parent are ready."""
    torch.set_num_threads(1)
    world = cases[0].workers
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    for experiment in cases:
        for _ in range(repetitions):
            for exchange in EXCHANGES.values():
                go.wait()
                seconds, parameters_D = train(rank, experiment, exchange)
                if rank == 0:
                    answers.put((seconds, parameters_D.numpy()))
    dist.destroy_process_group()


def train(rank: int, experiment: Experiment, exchange: Exchange) -> tuple[float, Tensor]:
    """The seconds of all steps, and the parameters (d,) at the end."""
    setup, seed = prepare(experiment), experiment.seed
    data = setup.task.data
    numbers = data.train_labels.numpy()
    held = setup.partition.split(numbers, experiment.workers, derive_number(seed, "partition"))
    draws = generator(seed, "batches")
    batches = Batches(data, held, experiment.batch_size, draws, torch.device("cpu"))
    model = setup.task.build(derive(seed, "parameters"))
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=experiment.learning_rate, momentum=experiment.momentum)
    attackers = Attackers(experiment, setup.attack, setup.aggregation.trial)
    directions = [torch.zeros_like(parameter) for parameter in parameters]
    for parameter, direction in zip(parameters, directions, strict=True):
        parameter.grad = direction
    rows_ND = torch.empty(experiment.workers, sum(parameter.numel() for parameter in parameters))
    dist.barrier()
    start = perf_counter()
    for step in range(experiment.steps):
        own_B = batches.indices()[rank]
        loss = functional.cross_entropy(model(data.train_images[own_B]), data.train_labels[own_B])
        vector_D = parameters_to_vector(torch.autograd.grad(loss, parameters))
        exchange(rank, vector_D, rows_ND)
        if rank == 0:
            aggregate = setup.aggregation.aggregate(step, attackers.send(step, rows_ND))
            assert aggregate.vector is not None
            vector_D = aggregate.vector
        dist.broadcast(vector_D, src=0)
        unflatten_into(vector_D, directions)
        optimizer.step()
    dist.barrier()
    return perf_counter() - start, parameters_to_vector(parameters).detach()


def laboratory(experiment: Experiment) -> tuple[float, Tensor]:
    """The same of the laboratory."""
    parameters_D = torch.empty(0)

    def remember(_: Measurement, model: nn.Module) -> None:
        nonlocal parameters_D
        parameters_D = parameters_to_vector(model.parameters()).detach().clone()

    outcome = run(experiment, on_measurement=remember)
    return outcome.seconds.total, parameters_D


def laboratory_alone(experiment: Experiment) -> float:
    """The seconds of one of several experiments at once."""
    torch.set_num_threads(1)
    return run(experiment).seconds.total


def measure(cases: list[Experiment], repetitions: int, jobs: int) -> list[dict[str, float | str | bool]]:
    """Trains every case in turn in the laboratory and in the processes."""
    context = mp.get_context("spawn")
    world = cases[0].workers
    go = context.Barrier(world + 1, timeout=PATIENCE_S)
    answers: Queue[Answer] = context.Queue()
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(jobs, mp_context=context) as together,
    ):
        arguments = (cases, repetitions, f"{folder}/store", go, answers)
        processes = [context.Process(target=process, args=(rank, *arguments)) for rank in range(world)]
        try:
            for one in processes:
                one.start()
            results = [alternate(case, repetitions, jobs, together, go, answers) for case in cases]
        except BaseException:
            for one in processes:
                one.kill()
            raise
        finally:
            for one in processes:
                one.join()
    return results


def alternate(
    experiment: Experiment,
    repetitions: int,
    jobs: int,
    together: Executor,
    go: Barrier,
    answers: Queue[Answer],
) -> dict[str, float | str | bool]:
    """One case: the laboratory alone and `jobs` times at once, the processes either way, and again."""
    warm = replace(experiment, steps=3)
    laboratory(warm)
    list(together.map(laboratory_alone, [warm] * jobs))
    # Of several at once: as if one had taken its share of the time.
    seconds: dict[str, list[float]] = {name: [] for name in ("lab", "labs", *EXCHANGES)}
    apart = 0.0
    for _ in range(repetitions):
        lab_s, lab_D = laboratory(experiment)
        seconds["lab"].append(lab_s)
        several_s = together.map(laboratory_alone, [experiment] * jobs)
        seconds["labs"].append(1.0 / sum(1.0 / one_s for one_s in several_s))
        for name in EXCHANGES:
            go.wait()
            processes_s, parameters = answers.get(timeout=PATIENCE_S)
            seconds[name].append(processes_s)
            apart = max(apart, float((lab_D - torch.from_numpy(parameters)).norm() / lab_D.norm()))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ratio = medians["all_gather"] / medians["labs"]
    return {
        "rule": experiment.rule,
        "byzantine": experiment.byzantine,
        "attack": experiment.attack,
        **{f"{name}_steps_per_s": experiment.steps / median for name, median in medians.items()},
        "ratio": ratio,
        "ratio_least": min(seconds["all_gather"]) / min(seconds["labs"]),
        "ratio_one_core": medians["all_gather"] / medians["lab"],
        "ratio_gather": medians["gather"] / medians["labs"],
        "parameters_apart": apart,
        "holds": ratio >= BAR and apart <= TOLERANCE,
    }


def table(
    report: dict[str, object], where: dict[str, str | int], results: list[dict[str, float | str | bool]]
) -> str:
    """The report as Markdown."""
    lines = [
        f"# The laboratory beside {report['workers']} processes",
        "",
        f"digits, {report['batch_size']} samples a worker; {in_words(where)}; {report['steps']} steps, median"
        f" of {report['repetitions']} repetitions, {report['jobs']} experiments at once."
        f" Must hold: {BAR:.0f} times the steps of the all-gather, and parameters apart by at most"
        f" {TOLERANCE} of their norm.",
        "",
        "| rule | Byzantine, attack | lab, steps/s | one core | all-gather, steps/s | ratio | of least times"
        " | one core | gather, steps/s | ratio | parameters apart | holds |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {r['rule']} | {r['byzantine']}, {r['attack']} | {r['labs_steps_per_s']:.0f}"
        f" | {r['lab_steps_per_s']:.0f} | {r['all_gather_steps_per_s']:.1f} | {r['ratio']:.1f}"
        f" | {r['ratio_least']:.1f} | {r['ratio_one_core']:.1f}"
        f" | {r['gather_steps_per_s']:.1f} | {r['ratio_gather']:.1f} | {r['parameters_apart']:.0e}"
        f" | {'yes' if r['holds'] else 'no'} |"
        for r in results
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures all cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=cores(), help="experiments at once in the laboratory")
    options = parser.parse_args()
    # Before any process starts, which inherits it; and gloo looks for no other interface.
    os.environ["OMP_NUM_THREADS"] = "1"
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    cases = [replace(case, steps=options.steps, evaluate_every=options.steps) for case in CASES]
    where = describe()
    results = measure(cases, options.repetitions, options.jobs)
    report: dict[str, object] = {
        "workers": cases[0].workers,
        "batch_size": cases[0].batch_size,
        "steps": options.steps,
        "repetitions": options.repetitions,
        "jobs": options.jobs,
        "machine": where,
        "results": results,
    }
    keep("lab", report, table(report, where, results))
    sys.exit(0 if all(result["holds"] for result in results) else 1)


if __name__ == "__main__":
    main()
