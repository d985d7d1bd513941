# Turns generated pages into training batches, in processes beside the training.
# In: seeds. Out: Batch, numpy arrays of pictures, answers and dense labels (shapes below).
# Patches are SIDE / PATCH to an edge, image rows half as many.

import dataclasses
import multiprocessing
import os

import numpy as np

from layout import SIDE
from sample import make

PATCH = 16
GRID = SIDE // PATCH
ROWS = GRID // 2
TAGS = ["", "text", "title", "section_header_level_1", "page_header", "page_footer", "caption", "formula", "code",
        "list_item", "otsl"]
CELLS = ["", "ched", "fcel", "ecel", "lcel", "ucel"]
CHARACTERS = [""] + [chr(c) for c in range(33, 127)]
NOTHING = -1


@dataclasses.dataclass
class Batch:
    pixels: np.ndarray  # uint8 [B, SIDE, SIDE]
    ids: np.ndarray  # int64 [B, n], padded with NOTHING
    read: np.ndarray  # bool [B, n, ROWS * ROWS]: the image rows that show what was read last before each token
    coming: np.ndarray  # bool [B, n, ROWS * ROWS]: those that show what will be read next, the token itself included
    tag: np.ndarray  # int64 [B, patches]: element under a patch, of TAGS
    box: np.ndarray  # float32 [B, patches, 4]: its box in -1..1
    chars: np.ndarray  # int64 [B, patches, 2]: character under its left and right half, of CHARACTERS
    token: np.ndarray  # int64 [B, patches, 3]: token before, here, behind; NOTHING where nothing is written
    cell: np.ndarray  # int64 [B, patches, 4]: cell of CELLS, its column, its width - 1 and height - 1 in cells


def cover(boxes, cells, pitch):
    """Which of cells x cells squares of `pitch` pixels each box [n, 4] covers, at least the one it covers most."""
    edge = np.arange(cells) * pitch
    part = []
    for low, high in ((boxes[:, 1], boxes[:, 3]), (boxes[:, 0], boxes[:, 2])):
        shared = np.minimum(high[:, None], edge + pitch) - np.maximum(low[:, None], edge)
        part.append(shared.clip(0) / np.minimum(high - low, pitch)[:, None].clip(1))
    area = (part[0][:, :, None] * part[1][:, None, :]).reshape(len(boxes), -1)
    return (area > 0.3) | ((area == area.max(1, keepdims=True)) & (area > 0))


def pointers(boxes):
    """(read, coming) of one answer: bool [n, ROWS * ROWS]."""
    drawn = ~np.isnan(boxes[:, 0])
    squares = np.zeros((len(boxes), ROWS * ROWS), bool)
    squares[drawn] = cover(boxes[drawn], ROWS, SIDE // ROWS)
    number = np.arange(len(boxes))
    last = np.maximum.accumulate(np.where(drawn, number, -1))
    following = np.minimum.accumulate(np.where(drawn, number, len(boxes))[::-1])[::-1]
    none = np.zeros((1, ROWS * ROWS), bool)
    padded = np.concatenate([squares, none])  # index -1 and len(boxes): none
    return padded[np.concatenate([[-1], last[:-1]])], padded[following]


def slots(low, high, pitch):
    """The slice of squares whose centres lie in low..high."""
    return slice(max(int(np.ceil(low / pitch - 0.5)), 0), max(int(np.floor(high / pitch - 0.5)) + 1, 0))


def labels(sample, skipped):
    tag, box = np.zeros((GRID, GRID), np.int64), np.zeros((GRID, GRID, 4), np.float32)
    for name, _, _, where in sample.elements[::-1]:
        x0, y0, x1, y1 = where
        at = slots(y0, y1, PATCH), slots(x0, x1, PATCH)
        tag[at], box[at] = TAGS.index(name), np.array(where) / SIDE * 2 - 1
    chars = np.zeros((GRID, 2 * GRID), np.int64)
    for letter, (x0, y0, x1, y1) in sample.chars:
        chars[slots(y0, y1, PATCH), slots(x0, x1, PATCH // 2)] = CHARACTERS.index(letter)
    cell = np.zeros((GRID, GRID, 4), np.int64)
    for kind, _, column, (x0, y0, x1, y1), wide, tall in sample.cells:
        cell[slots(y0, y1, PATCH), slots(x0, x1, PATCH)] = CELLS.index(kind), column, wide - 1, tall - 1
    index = np.full((GRID, GRID), NOTHING)
    written = ~np.isnan(sample.boxes[:, 0]) & ~np.isin(sample.ids, skipped["cells"])
    for number in np.flatnonzero(written):
        x0, y0, x1, y1 = sample.boxes[number]
        index[slots(y0, y1, PATCH), slots(x0, x1, PATCH)] = number
    keep = np.flatnonzero(~np.isin(sample.ids, skipped["places"]))
    place = np.searchsorted(keep, np.arange(len(sample.ids)))
    token = np.full((GRID, GRID, 3), NOTHING)
    there = index >= 0
    for column, step in enumerate((-1, 0, 1)):
        token[there, column] = sample.ids[keep[place[index[there]] + step]]
    return tag.ravel(), box.reshape(-1, 4), chars.reshape(-1, 2), token.reshape(-1, 3), cell.reshape(-1, 4)


def collate(samples, skipped):
    longest = max(len(s.ids) for s in samples)
    ids = np.full((len(samples), longest), NOTHING)
    read, coming = (np.zeros((len(samples), longest, ROWS * ROWS), bool) for _ in range(2))
    for b, sample in enumerate(samples):
        n = len(sample.ids)
        ids[b, :n] = sample.ids
        read[b, :n], coming[b, :n] = pointers(sample.boxes)
    maps = [np.stack(part) for part in zip(*(labels(s, skipped) for s in samples))]
    return Batch(np.stack([s.image for s in samples]), ids, read, coming, *maps)


def skipped_tokens(tokenizer):
    """Tokens that are not read: cells' tags have boxes but no words, places and languages are passed over."""
    get = tokenizer.token_to_id
    return {"cells": [get(f"<{c}>") for c in CELLS[1:]],
            "places": [get(f"<loc_{n}>") for n in range(501)] + [get("<_Python_>")]}


def produce(queue, tokenizer_text, batch, first, step):
    from tokenizers import Tokenizer
    os.nice(2)
    tokenizer = Tokenizer.from_str(tokenizer_text)
    skipped, seed = skipped_tokens(tokenizer), first
    rng = np.random.default_rng(first)
    while True:
        pool = [make(seed + i * step, tokenizer) for i in range(8 * batch)]
        seed += 8 * batch * step
        pool.sort(key=lambda s: len(s.ids))
        for start in rng.permutation(8) * batch:
            queue.put(collate(pool[start:start + batch], skipped))


class Feeder:
    """Batches of pages that nobody has seen, from `workers` processes."""

    def __init__(self, tokenizer, batch, seed, workers=1):
        context = multiprocessing.get_context("spawn")
        self.queue = context.Queue(maxsize=6)
        self.processes = [context.Process(target=produce, daemon=True, args=(self.queue, tokenizer.to_str(), batch,
                                                                             seed + w, workers)) for w in range(workers)]
        for process in self.processes:
            process.start()

    def next(self):
        return self.queue.get(timeout=300)
