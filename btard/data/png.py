"""PNG bytes to pixels."""

from __future__ import annotations

import io

import numpy as np

from btard.data.standardisation import Pixels

_MODES = {1: "L", 3: "RGB"}


def decode_png(encoded: bytes, shape: tuple[int, int, int]) -> Pixels:
    """Return the pixels, `shape` (channels, height, width) uint8, of one grey or RGB image.

    Raises ValueError, which describes the difference, if the bytes are not a PNG of this size and mode; both
    are checked before the pixels are decoded.
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
        raise ValueError("is not a whole PNG") from error
    return pixels
