"""Small parquet files as the hub has them: PNG bytes in an `Image` column, labels in a `ClassLabel`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Pillow

Pixels = npt.NDArray[np.uint8]


def pictures(seed: int, count: int, shape: tuple[int, ...]) -> Pixels:
    """Random pixels (count, *shape), shape (height, width) or (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def encoded(pixels: Pixels, kind: str = "PNG") -> bytes:
    """One image file."""
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, columns: Mapping[str, Sequence[object]], *, features: Features | None = None) -> None:
    """One parquet file; with `features`, its schema names the hub's types."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = Dataset.from_dict(dict(columns), features=features)
    table.to_parquet(str(path))


def write_split(path: Path, pixels: Pixels, labels: Sequence[int], *, column: str) -> None:
    """A split in the hub's own format."""
    rows = [{"bytes": encoded(image), "path": f"{index}.png"} for index, image in enumerate(pixels)]
    features = Features({column: Image(), "label": ClassLabel(names=[str(n) for n in range(10)])})
    write(path, {column: rows, "label": list(labels)}, features=features)
