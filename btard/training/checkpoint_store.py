"""The checkpoints of one run in a folder: written whole, listed, pruned, the newest certified one found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from btard.errors import ConfigurationError
from btard.training.checkpoints import STEP_TEXT, Checkpoint, load_checkpoint, save_checkpoint
from btard.types import Digest

PATTERN = "step-*.safetensors"
"""The names of the files."""


class CheckpointStore:
    """The checkpoints in `folder`, which need not exist yet. The newest `keep` stay (0: all)."""

    def __init__(self, folder: Path, keep: int = 0) -> None:
        self.folder = folder
        self._keep = keep

    def write(self, checkpoint: Checkpoint, pinned: int = -1) -> Path:
        """Write a checkpoint, then delete the oldest above `keep`, but not that of step `pinned`.

        The file appears whole or not at all. Raises OSError as the disk does."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"step-{checkpoint.step:06d}.safetensors"
        save_checkpoint(checkpoint, path)
        named = dict(self._named())
        for step in sorted(named)[: -self._keep] if self._keep else ():
            if step != pinned:
                named[step].unlink(missing_ok=True)
        return path

    def files(self) -> dict[int, Path]:
        """Return step -> file, in order, by what the files say of themselves.

        Raises ConfigurationError if one cannot be read."""
        found: dict[int, Path] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                with safe_open(path, framework="pt") as file:
                    step = (file.metadata() or {}).get("step", "")
            except (OSError, SafetensorError) as error:
                raise ConfigurationError(
                    f"cannot read the checkpoint {path}: move it away or restore it"
                ) from error
            if STEP_TEXT.fullmatch(step):
                found[int(step)] = path
        return dict(sorted(found.items()))

    def newest(self, certified: Mapping[int, Digest]) -> Checkpoint | None:
        """Return the newest checkpoint whose model is the `certified` one of its step; None if there is none.

        A file that is damaged or of another model is passed over: nobody has to trust it."""
        for step, path in sorted(self._named(), reverse=True):
            if step in certified:
                try:
                    checkpoint = load_checkpoint(path)
                except ConfigurationError:
                    continue
                if checkpoint.step == step and checkpoint.model_digest == certified[step]:
                    return checkpoint
        return None

    def steps(self) -> tuple[int, ...]:
        """Return the steps of the files, by their names."""
        return tuple(sorted(step for step, _ in self._named()))

    def _named(self) -> Iterator[tuple[int, Path]]:
        """Yield step and path of each file, by its name."""
        for path in self.folder.glob(PATTERN):
            step = path.stem.removeprefix("step-")
            if STEP_TEXT.fullmatch(step):
                yield int(step), path
