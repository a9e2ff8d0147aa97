"""One loss of a task under the magnifying glass: what is unused, not finite, changed or drawn."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from btard.training.bench import Bench
from btard.training.check_report import CheckReport, listed, where
from btard.training.determinism import seeded
from btard.training.dropout import reseed
from btard.training.precision import autocast
from btard.training.recipe import Recipe
from btard.training.state import trainable

GENERATOR = (
    "the task draws from torch's generator, whose numbers differ between a CPU and CUDA: on mixed hardware "
    "use btard.training.randomness and SeededDropout"
)


def check_loss(recipe: Recipe, bench: Bench, seed: bytes, report: CheckReport) -> bool:
    """Compute one loss of the batch of `seed` at the bench's parameters, and report what is wrong with it.

    Return whether all is right with it.
    """
    model, faults = bench.module, len(report.faults)
    named = trainable(model, recipe.task.name)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()
    with seeded(seed, bench.device):
        reseed(model, seed)
        drawn = _drawn(bench.device)
        try:
            with autocast(recipe.precision, bench.device):
                loss = recipe.task.loss(model, seed, recipe.micro_batch or recipe.batch_size)
        except Exception as error:
            report.faults.append(f"the loss cannot be computed: {where(error)}")
            return False
        report.faults += _of_loss(loss)
        if len(report.faults) > faults:
            return False
        try:
            pieces = torch.autograd.grad(loss, [parameter for _, parameter in named], allow_unused=True)
        except RuntimeError as error:
            report.faults.append(f"the loss has no deterministic derivative: {where(error)}")
            return False
        if GENERATOR not in report.notes and drawn != _drawn(bench.device):
            report.notes.append(GENERATOR)
    gradients = {name: piece for (name, _), piece in zip(named, pieces, strict=True)}
    if unused := [name for name, piece in gradients.items() if piece is None]:
        report.faults.append(
            f"the loss does not depend on {listed(unused)}: use the parameter, or set its requires_grad to "
            "False in build"
        )
    infinite = [n for n, piece in gradients.items() if piece is not None and not piece.isfinite().all()]
    if infinite:
        report.faults.append(
            f"the gradient of {listed(infinite)} is not finite, and would count as zero: look for a "
            "logarithm, a division or a root of zero"
        )
    if changed := _changed(before, dict(model.named_buffers())):
        report.faults.append(
            f"the loss changes the buffer {listed(changed)}, which every peer puts back before a gradient: "
            "use a layer without running statistics, such as GroupNorm"
        )
    return len(report.faults) == faults


def _of_loss(loss: object) -> Iterator[str]:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        kind = (
            f"a tensor of shape {list(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        )
        yield f"the loss is {kind}: return a tensor of one number, the mean over the samples"
    elif not loss.requires_grad:
        yield "the loss depends on no parameter: compute it from the model, without torch.no_grad"
    elif not bool(loss.isfinite()):
        yield (
            f"the loss is {float(loss.detach())}, so its gradient would count as zero: look for a logarithm, "
            "a division or a root of zero"
        )


def _drawn(device: torch.device) -> list[list[int]]:
    """Return the states of torch's generators that a loss on `device` may draw from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return [state.tolist() for state in states]


def _changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> list[str]:
    return [
        name
        for name, old in before.items()
        if name not in after or not torch.equal(old.nan_to_num(), after[name].nan_to_num())
    ]
