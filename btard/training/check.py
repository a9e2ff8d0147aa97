"""Check a task before a swarm sees it: is its gradient the same for everybody who computes it?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from btard.errors import BtardError, ConfigurationError
from btard.training.bench import Bench
from btard.training.check_elsewhere import SEED, SEEDS, ask, machines, shortened
from btard.training.check_loss import check_loss
from btard.training.check_report import CheckReport, distance, where
from btard.training.device import check_device
from btard.training.recipe import Recipe
from btard.training.registry import load_recipe
from btard.training.start import describe_start
from btard.training.task import Described
from btard.training.tolerances import tolerance
from btard.training.vector import flatten

CPU = torch.device("cpu")


def check_task(
    name: str,
    options: Mapping[str, str],
    *,
    steps: int | None = None,
    device: str = "cpu",
    epsilon: float | None = None,
) -> CheckReport:
    """Compute gradients of a task at its first model in all ways that must not matter, and report.

    They are computed twice, in another order, with other numbers of threads, in processes that use other
    instructions, and on `device`. Two gradients of one seed may differ by `epsilon` times their norm (that of
    the recipe's tolerance, if not given), and in one process and with one number of threads not at all. A
    batch is shortened to two micro-batches. A stage that finds a fault is the last: description, loss, this
    process, other machines. Raises ConfigurationError if there is no such task or device, or its options do
    not fit.
    """
    check_device(device)
    recipe = load_recipe(name, options=options, steps=steps)
    epsilon = tolerance(recipe.tolerance).epsilon if epsilon is None else epsilon
    report = CheckReport()
    start = _describe(recipe, report)
    if start is None:
        return report
    short = shortened(recipe)
    # No processor computes in float16: there, the device is compared with itself alone.
    home = torch.device(device) if recipe.precision == "fp16" else CPU
    bench = Bench(short, SEED, home)
    vector = flatten([parameter for parameter in bench.module.parameters() if parameter.requires_grad])
    if not all(check_loss(short, bench, seed, report) for seed in SEEDS):
        return report
    gradients = _in_this_process(bench, vector, report, epsilon)
    _evaluate(bench, vector, report)
    if report.faults:
        return report
    for machine in machines() if home == CPU else ():
        try:
            there = ask(machine, name, options, steps)
        except ConfigurationError as error:
            report.faults.append(str(error))
            return report
        _compare_starts(machine.name, start, there.start, recipe.portable, report)
        for mine, theirs in zip(gradients, there.gradients, strict=True):
            report.compare(machine.name, mine, theirs, epsilon)
        if report.faults:
            return report
    if torch.device(device) != home:
        _on_device(short, vector, gradients, device, report, epsilon)
    return report


def _describe(recipe: Recipe, report: CheckReport) -> dict[str, str] | None:
    """Return what a run starts from; None if it cannot be made."""
    try:
        recipe.describe()
        start = describe_start(recipe, SEED)
        torch.rand(1)  # a build that depends on the caller's generator shows now
        again = describe_start(recipe, SEED)
    except BtardError as error:
        report.faults.append(str(error))
        return None
    except Exception as error:
        report.faults.append(f"the model cannot be built: {where(error)}")
        return None
    if not recipe.portable:
        report.notes.append(
            "the optimizer is one of torch.optim, for peers on like hardware alone: use SGD, AdamW or LAMB "
            "of btard.training"
        )
    if not isinstance(recipe.task, Described):
        report.notes.append(
            "the task has no fingerprints: give it that method if it reads data, so that a peer with other "
            "data is refused"
        )
    if (
        recipe.precision != "fp32"
        and tolerance(recipe.tolerance).epsilon < tolerance(recipe.precision).epsilon
    ):
        report.faults.append(
            f"the tolerance {recipe.tolerance} is too tight for gradients in {recipe.precision}: let the "
            f'recipe have tolerance="{recipe.precision}"'
        )
        return None
    if start != again:
        report.faults.append(_unequal_starts("built twice", start, again))
        return None
    return start


def _in_this_process(bench: Bench, vector: Tensor, report: CheckReport, epsilon: float) -> tuple[Tensor, ...]:
    """Return the gradients of the seeds, none if others cannot be compared with them."""
    first, second = SEEDS
    threads = torch.get_num_threads()
    others = [count for count in (1, 2) if count != threads]
    try:
        gradients = tuple(bench.gradient(vector, seed) for seed in (first, second))
        # The order has changed: a task with state between calls shows here.
        again = [bench.gradient(vector, seed) for seed in (second, second, first, first)]
        with_others: list[tuple[int, list[Tensor]]] = []
        for count in others:
            torch.set_num_threads(count)
            with_others.append((count, [bench.gradient(vector, seed) for seed in SEEDS]))
    except Exception as error:
        report.faults.append(f"a gradient cannot be computed: {where(error)}")
        return ()
    finally:
        torch.set_num_threads(threads)
    before = [gradients[1], gradients[1], gradients[0], gradients[0]]
    unequal = [distance(old, new) for old, new in zip(before, again, strict=True) if not old.equal(new)]
    if unequal:
        report.faults.append(
            f"two gradients of one seed differ by {max(unequal):.1e} of their norm: draw everything from the "
            "seed, and keep nothing between calls"
        )
        return ()
    report.measured["the same seed again"] = 0.0
    if not any(bool(gradient.any()) for gradient in gradients):
        report.faults.append("the gradient is zero: the model would never learn")
    elif gradients[0].equal(gradients[1]):
        report.faults.append("two seeds have the same gradient: draw the batch from the seed")
    for count, vectors in with_others:
        for mine, other in zip(gradients, vectors, strict=True):
            report.compare(f"{count} thread{'s' * (count > 1)}", mine, other, epsilon)
    return gradients


def _evaluate(bench: Bench, vector: Tensor, report: CheckReport) -> None:
    try:
        metrics, again = bench.evaluate(vector), bench.evaluate(vector)
    except BtardError as error:
        report.faults.append(str(error))
    except Exception as error:
        report.faults.append(f"the evaluation fails: {where(error)}")
    else:
        if odd := [name for name, value in metrics.items() if not math.isfinite(value)]:
            report.faults.append(f"the evaluation's {odd[0]} is {metrics[odd[0]]}: return finite numbers")
        elif metrics != again:
            report.notes.append("two evaluations of one model differ: draw what they need from a fixed seed")


def _on_device(
    recipe: Recipe,
    vector: Tensor,
    gradients: tuple[Tensor, ...],
    device: str,
    report: CheckReport,
    epsilon: float,
) -> None:
    try:
        bench = Bench(recipe, SEED, torch.device(device))
        there = [bench.gradient(vector, seed) for seed in SEEDS]
        again = bench.gradient(vector, SEEDS[0])
    except Exception as error:
        report.faults.append(f"a gradient cannot be computed on {device}: {where(error)}")
        return
    if not again.equal(there[0]):
        report.faults.append(f"two gradients of one seed differ on {device}: look for a sum without an order")
    for mine, theirs in zip(gradients, there, strict=True):
        report.compare(device, mine, theirs, epsilon)


def _compare_starts(
    where_: str, here: dict[str, str], there: dict[str, str], portable: bool, report: CheckReport
) -> None:
    if here == there:
        return
    sentence = _unequal_starts(f"with {where_}", here, there)
    (report.faults if portable else report.notes).append(sentence)


def _unequal_starts(how: str, here: dict[str, str], there: dict[str, str]) -> str:
    differing = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    remedy = "make it of the seed alone"
    if differing == ["initial model"]:
        remedy = "draw the first weights by btard.training.initialise"
    return f"{how}, the {' and the '.join(differing)} is another: {remedy}"
