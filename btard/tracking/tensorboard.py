"""Points into TensorBoard's event files. Needs the extra `tracking`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from btard.run.events import Begun
from btard.tracking.points import Point

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardWriter:
    """Writes event files into `folder`, which is made with the first point.

    A run that is resumed, or another one in the same folder, goes on in a new file: what older files say of
    its first step and all later ones is void, so every curve has one value a step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def begin(self, begun: Begun) -> None:
        """Nothing: the files name no run."""

    def write(self, point: Point) -> None:
        """Write a point, to the disk."""
        writer = self._writer
        if writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = writer = SummaryWriter(str(self._folder), purge_step=point.step)
        for name, value in point.values.items():
            writer.add_scalar(name, value, point.step, walltime=point.time)
        if point.removals:
            text = "\n".join(f"    {line}" for line in point.removals)  # as it is, not as markup
            writer.add_text("removals", text, point.step, walltime=point.time)
        writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
