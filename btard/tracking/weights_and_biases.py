"""Points into Weights & Biases. Needs the extra `tracking`, and a key unless WANDB_MODE is offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from btard.errors import ConfigurationError
from btard.run.events import Begun
from btard.tracking.points import Point

if TYPE_CHECKING:
    import wandb

OFFLINE = ("offline", "disabled", "dryrun")


def check_key() -> None:
    """Raise ConfigurationError if the service would have to ask a person for a key."""
    import wandb

    settings = wandb.setup(wandb.Settings(silent=True)).settings
    if settings.mode not in OFFLINE and not wandb.login(prompt=False, verify=False):
        raise ConfigurationError(
            "Weights & Biases has no key on this machine: run `wandb login`, or set WANDB_MODE=offline and "
            "send the run later with `wandb sync`"
        )


class WandbWriter:
    """Logs to a run of `project` that is named after the swarm's run and this peer, so that a peer which is
    resumed goes on in the same one. Files are in `folder`. The service gets the events' numbers, and neither
    code, output nor statistics of this machine."""

    def __init__(self, project: str, folder: Path) -> None:
        self._project = project
        self._folder = folder
        self._run: wandb.Run | None = None
        self._removals: list[str] = []

    def begin(self, begun: Begun) -> None:
        """Open the run: this may take seconds."""
        import wandb

        me = begun.members[begun.seat]
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        self._run = wandb.init(
            project=self._project,
            id=f"{begun.run[:24]}-{me[:8]}",
            name=f"{begun.task} {begun.run[:8]} {me[:8]}",
            resume="allow",
            dir=self._folder,
            config={"run": begun.run, "task": begun.task, "steps": begun.steps, "peers": len(begun.members)},
            settings=settings,
        )
        # An axis of our own: theirs must never go back, and a run that is resumed may repeat a step.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def write(self, point: Point) -> None:
        """Log a point."""
        assert self._run is not None, "the run begins before its first point"
        self._run.log({"step": point.step, **point.values})
        if point.removals:
            self._removals += point.removals
            self._run.summary["removals"] = list(self._removals)

    def close(self) -> None:
        """Send what is left."""
        if self._run is not None:
            self._run.finish()
