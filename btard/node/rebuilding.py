"""Computes the model at the head of a ledger again: a certified checkpoint, and the aggregates since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from btard.errors import ConfigurationError, RunMismatchError
from btard.ledger.history import Applied
from btard.node.kept_store import KeptStore
from btard.node.revival import Revived
from btard.training.checkpoint_store import CheckpointStore
from btard.training.engine import Engine
from btard.types import Digest


def rebuild(
    engine: Engine,
    store: KeptStore,
    checkpoints: Path,
    steps: Sequence[Applied],
    keep: Sequence[Digest] = (),
) -> None:
    """Bring an engine at x_0 to the model after `steps`, and keep the one before it, whose gradients are
    still to be examined. Every model on the way has the digest that the ledger certifies. The blobs `keep`
    stay in the store, if they are there.

    Raises ConfigurationError if neither the folder of `checkpoints` nor the store has what it takes,
    RunMismatchError if this machine computes another model."""
    for name in keep:
        store.fetch(name)
    start = CheckpointStore(checkpoints).newest({each.step + 1: each.model for each in steps[:-1]})
    if start is not None:
        engine.restore(start)
    ahead = steps[engine.step :]
    for applied in ahead:
        store.pin(applied.step, applied.aggregates)
    for applied in ahead:
        if not all([store.fetch(name) for name in applied.aggregates]):
            since = "" if start is None else f", which follow the checkpoint of step {start.step}"
            raise ConfigurationError(
                f"the model after step {steps[-1].step} cannot be computed again: {checkpoints.parent} lacks "
                f"the aggregates of step {applied.step}{since}; restore its files, or start a new run"
            )
        if engine.update(applied.step, applied.aggregates) != applied.model:
            raise _other(applied.step)
        engine.adopt(applied.step, (*keep, *ahead[-1].aggregates))


def resume_candidate(engine: Engine, revived: Revived) -> None:
    """Compute the candidate again that the revived machine knows. Raises RunMismatchError if it is another
    now."""
    if revived.update is not None:
        effect, model = revived.update
        if engine.update(effect.step, effect.aggregates) != model:
            raise _other(effect.step)


def _other(step: int) -> RunMismatchError:
    return RunMismatchError(
        f"this machine computes another model in step {step} than before: resume with the hardware and the "
        "versions that the run uses"
    )
