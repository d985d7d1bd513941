# Draws training pictures into shards on disk, with dense labels and questions.
# In: an output directory, a number of shards, a first seed. Out: shard_<seed>_<grid>.npy (uint8 canvases),
# .glob.npy (uint8 global tiles) and .pkl (labels and questions), SHARD pictures each, all of one tile grid.
# Usage: make_data.py OUT_DIR --shards 200 --seed 1000

import argparse
import collections
import io
import os
import pickle

import numpy as np
from PIL import Image

from draw import draw_picture
from questions import make_questions
from scenes import make_layout
from tiles import TILE, cut, grid_of
from vocabulary import COLOUR_NAMES, SHAPES, THING_NAMES, WORDS

SHARD = 512
PATCH = 8
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
CLASSES = ["nothing"] + SHAPES + THING_NAMES + list(LETTERS) + ["text"]
CLASS_ID = {name: i for i, name in enumerate(CLASSES)}
WHOLES = [None] + WORDS + [0, 1, 2]  # what a character belongs to: a word, or its place in a number
COUNTED = ["shape", "thing"] + SHAPES + COLOUR_NAMES  # how many of each, 0..6


def patch_labels(labels, rows, columns, smallest_letter):
    """Four uint8 maps [rows, columns] over patches: class, colour (0 none), 1 where an item has its centre, and the
    WHOLES entry a character belongs to. A letter narrower than `smallest_letter` patches is labelled "text"."""
    kind_map = np.zeros((rows, columns), np.uint8)
    colour_map = np.zeros((rows, columns), np.uint8)
    centre_map = np.zeros((rows, columns), np.uint8)
    whole_map = np.zeros((rows, columns), np.uint8)
    for kind, name, colour, (x0, y0, x1, y1), whole in labels:
        x0, x1, y0, y1 = x0 * columns, x1 * columns, y0 * rows, y1 * rows
        if kind == "letter" and x1 - x0 < smallest_letter:
            name = "text"
        cx = int(np.clip((x0 + x1) / 2, 0, columns - 1))
        cy = int(np.clip((y0 + y1) / 2, 0, rows - 1))
        inset = 0.0 if kind == "letter" else 0.08
        dx, dy = (x1 - x0) * inset, (y1 - y0) * inset
        a, b = max(int(np.ceil(x0 + dx - 0.5)), 0), int(np.floor(x1 - dx - 0.5)) + 1
        c, d = max(int(np.ceil(y0 + dy - 0.5)), 0), int(np.floor(y1 - dy - 0.5)) + 1
        value = CLASS_ID[name]
        ink = COLOUR_NAMES.index(colour) + 1 if colour else 0
        for rows_part, columns_part in ((slice(c, d), slice(a, b)), (slice(cy, cy + 1), slice(cx, cx + 1))):
            kind_map[rows_part, columns_part] = value
            colour_map[rows_part, columns_part] = ink
            whole_map[rows_part, columns_part] = WHOLES.index(whole)
        centre_map[cy, cx] = 1
    return np.stack([kind_map, colour_map, centre_map, whole_map])


def counts(items):
    tally = collections.Counter()
    for item in items:
        if item["kind"] != "text":
            tally.update([item["kind"]])
        if item["kind"] == "shape":
            tally.update([item["name"], item["colour"]])
    return np.array([min(tally[name], 6) for name in COUNTED], np.uint8)


def make_sample(seed):
    rng = np.random.default_rng(seed)
    layout = make_layout(rng)
    image, labels = draw_picture(layout, rng)
    if rng.random() < 0.35:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=int(rng.integers(70, 96)))
        image = Image.open(packed)
    canvas, whole = cut(image)
    rows, columns = canvas.shape[0] // PATCH, canvas.shape[1] // PATCH
    return {"canvas": canvas, "global": whole, "canvas_labels": patch_labels(labels, rows, columns, 0.7),
            "global_labels": patch_labels(labels, TILE // PATCH, TILE // PATCH, 0.7),
            "counts": counts(layout["items"]), "questions": loosen(rng, make_questions(layout, rng))}


def loosen(rng, questions):
    """Some questions without their final mark or capital, as people type them."""
    out = []
    for category, question, answer in questions:
        if rng.random() < 0.1:
            question = question[:-1]
        if rng.random() < 0.1:
            question = question[0].lower() + question[1:]
        out.append((category, question, answer))
    return out


def write_shard(directory, name, samples):
    stack = lambda key: np.stack([s[key] for s in samples])
    np.save(f"{directory}/{name}.npy", stack("canvas"))
    np.save(f"{directory}/{name}.glob.npy", stack("global"))
    rest = {key: stack(key) for key in ("canvas_labels", "global_labels", "counts")}
    rest["questions"] = [s["questions"] for s in samples]
    with open(f"{directory}/{name}.tmp", "wb") as f:
        pickle.dump(rest, f)
    os.rename(f"{directory}/{name}.tmp", f"{directory}/{name}.pkl")  # last: a shard with a .pkl is complete


def main():
    args = argparse.ArgumentParser()
    args.add_argument("out")
    args.add_argument("--shards", type=int, default=200)
    args.add_argument("--seed", type=int, default=1000, help="first seed, in millions")
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    waiting = collections.defaultdict(list)
    seed, written = args.seed * 1_000_000, 0
    while written < args.shards:
        sample = make_sample(seed)
        seed += 1
        bucket = waiting[grid_of(sample["canvas"])]
        bucket.append(sample)
        if len(bucket) == SHARD:
            rows, columns = grid_of(sample["canvas"])
            write_shard(args.out, f"shard_{seed}_{rows}x{columns}", bucket)
            bucket.clear()
            written += 1


if __name__ == "__main__":
    main()
