"""Trackers by name, as `--track` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from btard.errors import ConfigurationError
from btard.tracking.tracker import Tracker

DIRECTORY = "tensorboard"
"""The folder of TensorBoard's files in the run directory."""

PROJECT = "btard"
"""The project of Weights & Biases, if none is named."""


def make_trackers(texts: Sequence[str], out: Path) -> tuple[Tracker, ...]:
    """Return the trackers of texts `tensorboard[:DIR]` and `wandb[:PROJECT]`. Files go into `out`, the run
    directory, unless a text says another one.

    Raises ConfigurationError for a name that is none, a package that is missing, or a service that needs a
    key and has none. Nothing is written before the run has begun."""
    return tuple(_make(text, out) for text in texts)


def _make(text: str, out: Path) -> Tracker:
    name, _, argument = text.partition(":")
    if name == "tensorboard":
        _need("torch.utils.tensorboard", name)
        from btard.tracking.tensorboard import TensorBoardWriter

        folder = Path(argument) if argument else out / DIRECTORY
        return Tracker("TensorBoard", lambda: TensorBoardWriter(folder))
    if name == "wandb":
        _need("wandb", name)
        from btard.tracking.weights_and_biases import WandbWriter, check_key

        check_key()
        return Tracker("Weights & Biases", lambda: WandbWriter(argument or PROJECT, out))
    raise ConfigurationError(
        f"there is no tracker {text[:80]!r}: use tensorboard, tensorboard:DIR, wandb or wandb:PROJECT"
    )


def _need(module: str, name: str) -> None:
    """Import a module that takes seconds to import, before anybody waits for this peer."""
    try:
        import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"--track {name} needs a package that is not here: pip install 'btard[tracking]'"
        ) from None
