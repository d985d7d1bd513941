# Checks what docs/preprocessing.md says of Pillow's resize: which of the two passes comes first, in every mode and with
# every filter. A resize of both sides must equal two resizes of one side each in the order that the rule of this
# Pillow's version gives, at random sizes and at the rule's borders. In: nothing. Out: a line for each mode and filter.
# Usage: python tools/oracle/check_pass_order.py [--pillow 12.3.0] [-n 300]

import argparse
import random

import numpy as np
import versions
from PIL import Image

MODES = ("L", "RGB", "RGBX", "CMYK", "YCbCr", "I;16", "I", "F", "La", "RGBa")
ALPHA = {"LA": "La", "RGBA": "RGBa"}  # resized with colours multiplied by alpha
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def vertical_first(old, new, major):
    if new[1] >= old[1]:
        return False
    if major == 12:
        return old[1] > old[0] * 100
    return old[1] - new[1] > (old[0] - new[0]) * 2


def picture(mode, size, draw):
    stored = {"LA": "LA", "La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    each = {"L": 1, "I;16": 2, "LA": 2, "RGB": 3, "YCbCr": 3}.get(stored, 4)
    data = draw.randbytes(size[0] * size[1] * each)
    if mode in ("I", "F"):  # whole numbers of a byte
        data = np.frombuffer(data, np.uint8)[::4].astype("<i4" if mode == "I" else "<f4").tobytes()
    return Image.frombytes(stored, size, data).convert(mode)


def two_passes(image, new, kind, major):
    if image.size == new:
        return image
    if image.mode in ALPHA and kind != 0:
        return two_passes(image.convert(ALPHA[image.mode]), new, kind, major).convert(image.mode)
    upright = vertical_first(image.size, new, major)
    between = (image.width, new[1]) if upright else (new[0], image.height)
    return image.resize(between, kind).resize(new, kind)


def sizes(count, draw):
    for index in range(count):
        old = [int(2 ** draw.uniform(0, 7)) for _ in range(2)]
        new = [int(2 ** draw.uniform(0, 7)) for _ in range(2)]
        if index % 3 == 0:  # at the border of Pillow 13's rule
            new[1] = max(1, old[1] - max(0, (old[0] - new[0]) * 2) - draw.randrange(2))
        if index % 10 == 0:  # and of Pillow 12's
            old[1] = old[0] * 100 + draw.randrange(2)
        yield tuple(old), tuple(new)


def main():
    parser = argparse.ArgumentParser(description="Checks the order of the passes of Pillow's resize.")
    parser.add_argument("-n", type=int, default=300, help="sizes for each mode and filter")
    versions.add_arguments(parser, "pillow")
    arguments = parser.parse_args()
    major = int(versions.check("pillow")["pillow"].split(".")[0])
    failed = 0
    for mode in (*MODES, *ALPHA):
        for name, kind in FILTERS.items():
            draw = random.Random(f"{mode} {name}")
            wrong = other = 0
            for old, new in sizes(arguments.n, draw):
                image = picture(mode, old, draw)
                found = image.resize(new, kind)
                wrong += found.tobytes() != two_passes(image, new, kind, major).tobytes()
                other += found.tobytes() != two_passes(image, new, kind, 25 - major).tobytes()
            print(f"{mode:6} {name:9} {wrong} of {arguments.n} break the rule; {other} differ from the other version's")
            failed += wrong
    if failed:
        raise SystemExit("the rule does not hold")


if __name__ == "__main__":
    main()
