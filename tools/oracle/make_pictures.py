# Draws the small test photos: gradients, shapes and noise in several sizes and file formats.
# In: an output folder. Out: tests/data/pictures/*.{png,jpg}, RGB, a few kilobytes each.
# Usage: python tools/oracle/make_pictures.py -o tests/data/pictures

import argparse
import pathlib

import numpy as np
from PIL import Image, ImageDraw

# name: (width, height, seed, noise in grey levels)
PICTURES = {
    "shapes_100x80.png": (100, 80, 1, 12),
    "shapes_37x90.png": (37, 90, 2, 20),
    "shapes_300x60.jpg": (300, 60, 3, 6),
    "shapes_640x488.jpg": (640, 488, 4, 4),
    "shapes_64x64.png": (64, 64, 5, 12),
    "shapes_3x5.png": (3, 5, 6, 12),
}


def draw(width, height, seed, noise):
    """One picture: a two-way colour gradient, a few shapes on it, then noise."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, width)[None, :, None]
    y = np.linspace(0, 1, height)[:, None, None]
    corners = random.integers(0, 256, size=(4, 1, 1, 3)).astype(float)
    smooth = (1 - y) * ((1 - x) * corners[0] + x * corners[1]) + y * ((1 - x) * corners[2] + x * corners[3])
    picture = Image.fromarray(smooth.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for kind in ("ellipse", "rectangle", "ellipse", "polygon", "line"):
        left, top = int(random.integers(0, width * 3 // 4)), int(random.integers(0, height * 3 // 4))
        right, bottom = left + width // 4 + 1, top + height // 4 + 1
        colour = tuple(int(value) for value in random.integers(0, 256, size=3))
        if kind == "polygon":
            pen.polygon([(left, bottom), (right, bottom), ((left + right) // 2, top)], fill=colour)
        elif kind == "line":
            pen.line([(left, top), (right, bottom)], fill=colour, width=2)
        else:
            getattr(pen, kind)([left, top, right, bottom], fill=colour)
    grain = random.normal(0, noise, size=(height, width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, (width, height, seed, noise) in PICTURES.items():
        picture = draw(width, height, seed, noise)
        options = {"quality": 85} if name.endswith(".jpg") else {"optimize": True}
        picture.save(arguments.output / name, **options)


if __name__ == "__main__":
    main()
