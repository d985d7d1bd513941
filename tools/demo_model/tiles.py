# Cuts a picture into the model's tiles, the fast way: the same pixels as the transformers PIL image processor.
# In: a PIL RGB image. Out: a uint8 canvas [H, W, 3] (H, W multiples of TILE; its tiles are its TILE x TILE blocks in
# row order) and the uint8 global tile [TILE, TILE, 3].
# Reference: transformers Idefics3ImageProcessorPil; check.py proves that both agree.

import math

import numpy as np
from PIL import Image

TILE = 64
LONGEST_EDGE = 128
LANCZOS = Image.Resampling.LANCZOS


def first_size(width: int, height: int):
    """Size after the longest edge becomes LONGEST_EDGE; the other edge is rounded up to an even number."""
    ratio = width / height
    if width >= height:
        width, height = LONGEST_EDGE, int(LONGEST_EDGE / ratio)
        height += height % 2
    else:
        width, height = int(LONGEST_EDGE * ratio), LONGEST_EDGE
        width += width % 2
    return max(width, 1), max(height, 1)


def canvas_size(width: int, height: int):
    """Size after both edges are rounded up to multiples of TILE."""
    ratio = width / height
    if width >= height:
        width = math.ceil(width / TILE) * TILE
        height = math.ceil(int(width / ratio) / TILE) * TILE
    else:
        height = math.ceil(height / TILE) * TILE
        width = math.ceil(int(height * ratio) / TILE) * TILE
    return width, height


def cut(image: Image.Image):
    """(canvas, global tile) of an RGB image."""
    image = image.resize(first_size(*image.size), LANCZOS)
    image = image.resize(canvas_size(*image.size), LANCZOS)
    return np.asarray(image), np.asarray(image.resize((TILE, TILE), LANCZOS))


def grid_of(canvas: np.ndarray):
    """(rows, columns) of tiles."""
    return canvas.shape[0] // TILE, canvas.shape[1] // TILE
