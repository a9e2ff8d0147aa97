"""PNG bytes to pixels."""

from __future__ import annotations

import io

import numpy as np

from btard.data.standardisation import Pixels

_MODES = {1: "L", 3: "RGB"}


def decode_png(encoded: bytes, shape: tuple[int, int, int]) -> Pixels:
    """The pixels, `shape` (channels, height, width) uint8, of one grey or RGB image.

    Only PNG is decoded, whatever the bytes claim to be. Raises ValueError, with what they are instead, for
    anything else or an image of another size, which is looked at before the pixels are.
    """
    from PIL import Image, UnidentifiedImageError

    channels, height, width = shape
    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
            found, wanted = (image.mode, image.width, image.height), (_MODES[channels], width, height)
            if found != wanted:
                raise ValueError("is {} {}x{} instead of {} {}x{}".format(*found, *wanted))
            pixels: Pixels = np.asarray(image, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError("is no whole PNG") from error
    return pixels
