"""Images from the parquet files of a data set on the Hugging Face hub: fetched once, or from a folder."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from btard.data.images import Images
from btard.data.png import decode_png
from btard.data.standardisation import Pixels, standardise
from btard.errors import ConfigurationError

if TYPE_CHECKING:
    from datasets import Dataset

BATCH = 1000


@dataclass(frozen=True, slots=True)
class HubImages:
    """The place of a set of images, and their expected form.

    `repository` is a data set of the hub that keeps its splits in train*.parquet and test*.parquet: PNG
    images of `shape` (channels, height, width) in the column `images`, labels below `classes` in `labels`.
    """

    name: str
    repository: str
    images: str
    labels: str
    shape: tuple[int, int, int]
    classes: int

    def load(self, folder: Path | None = None) -> Images:
        """Return the images, standardised by channel, of the parquet files in `folder` and below.

        Without a folder they come from the hub's cache (HF_HOME), updated from the hub if it can be reached.
        No code comes with the data: the files are tables, and only PNG is decoded.

        Raises ConfigurationError if the extra `datasets` or the files are missing, or the files hold anything
        else.
        """
        try:
            import datasets  # noqa: F401
            import PIL  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(f"{self.name} needs datasets: pip install 'btard[datasets]'") from error
        found = self._fetched() if folder is None else folder
        train_pixels, train_labels = self._split(found, "train")
        test_pixels, test_labels = self._split(found, "test")
        train_images, test_images = standardise(train_pixels, test_pixels)
        return Images(self.name, train_images, train_labels, test_images, test_labels, self.classes)

    def _fetched(self) -> Path:
        """Return the folder of the hub's cache that has the files."""
        from huggingface_hub import snapshot_download

        try:
            found = snapshot_download(self.repository, repo_type="dataset", allow_patterns=["*.parquet"])
        except OSError as error:
            raise ConfigurationError(
                f"{self.name} is not on this machine and the hub cannot be reached: run"
                f" `hf download {self.repository} --repo-type dataset` with internet and bring its cache here"
                " (~/.cache/huggingface), or give load_images a folder with the parquet files"
            ) from error
        return Path(found)

    def _split(self, folder: Path, split: str) -> tuple[Pixels, Tensor]:
        import datasets

        files = sorted(glob.escape(str(path)) for path in folder.rglob(f"{split}*.parquet"))
        command = f"`hf download {self.repository} --repo-type dataset --local-dir {folder}`"
        if not files:
            raise ConfigurationError(f"there is no {split}*.parquet in {folder}: fetch it by {command}")
        # The library writes converted files of its own, useless once the images are decoded.
        with TemporaryDirectory() as cache:
            try:
                with _without_progress_bars():
                    table = datasets.Dataset.from_parquet(files, cache_dir=cache)
            except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
                reason = str(error.__cause__ or error).partition("\n")[0]
                raise ConfigurationError(
                    f"{split}*.parquet in {folder} cannot be read ({reason}): fetch it again by {command}"
                ) from error
            return self._pixels(split, table), self._labels(split, table)

    def _pixels(self, split: str, table: Dataset) -> Pixels:
        """Return the images, (N, *shape)."""
        from datasets import Image

        column = self._column(split, self.images, table)
        try:
            encoded = column.cast_column(self.images, Image(decode=False))
        except (NotImplementedError, TypeError, ValueError) as error:
            raise self._other(f"the column {self.images!r} of the {split} split has no images") from error
        # In batches, because the library takes longer for single rows than Pillow for their images.
        rows = (row for batch in encoded.iter(BATCH) for row in batch[self.images])
        pixels = np.empty((len(encoded), *self.shape), np.uint8)
        for index, row in enumerate(rows):
            content = (row or {}).get("bytes")
            if content is None:
                raise self._other(f"image {index} of the {split} split is missing")
            try:
                pixels[index] = decode_png(content, self.shape)
            except ValueError as error:
                raise self._other(f"image {index} of the {split} split {error}") from error
        return pixels

    def _labels(self, split: str, table: Dataset) -> Tensor:
        """Return the labels, (N,) int64; `Images` checks their range."""
        column = self._column(split, self.labels, table)
        labels = column.with_format("numpy")[:][self.labels]
        if labels.dtype.kind not in "iu":
            raise self._other(f"the column {self.labels!r} of the {split} split has no whole numbers")
        return torch.from_numpy(labels.astype(np.int64))

    def _column(self, split: str, name: str, table: Dataset) -> Dataset:
        if name not in table.column_names:
            raise self._other(
                f"the {split} split has no column {name!r}, only {', '.join(table.column_names)}"
            )
        return table.select_columns([name])

    def _other(self, found: str) -> ConfigurationError:
        return ConfigurationError(
            f"{found}: {self.name} is read from the files of {self.repository}, fetch those"
        )


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Hide the library's bars, which belong to the process and end within a second."""
    import datasets

    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
