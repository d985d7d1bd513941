# Packs several questions about one picture into one sequence that the model reads in one pass.
# In: pictures and questions of one shard (make_data.py). Out: tensors for train.py.
# Each question block attends to the picture's prefix and to itself only, and its positions start right after the
# prefix, so every block is computed exactly as in a prompt with that question alone.

import functools
import pickle

import numpy as np
import torch

from make_data import CLASSES, SHARD
from tiles import TILE


class Shard:
    """One shard on disk, the pictures memory-mapped."""

    def __init__(self, path):  # path ends in .pkl
        with open(path, "rb") as f:
            self.rest = pickle.load(f)
        self.canvas = np.load(path[:-4] + ".npy", mmap_mode="r")
        self.whole = np.load(path[:-4] + ".glob.npy", mmap_mode="r")
        self.grid = (self.canvas.shape[1] // TILE, self.canvas.shape[2] // TILE)


def _blocks(array, rows, columns, side):
    """[B, rows*side, columns*side, ...] -> [B, rows*columns, side, side, ...]"""
    b, rest = array.shape[0], array.shape[3:]
    cut = array.reshape(b, rows, side, columns, side, *rest).swapaxes(2, 3)
    return cut.reshape(b, rows * columns, side, side, *rest)


def pictures(shard, index, dtype=torch.bfloat16):
    """Tiles [B, T, 3, TILE, TILE] in -1..1, patch labels [B, T, 4, patches], counts [B, kinds]."""
    rows, columns = shard.grid
    tiles = np.concatenate([_blocks(shard.canvas[index], rows, columns, TILE), shard.whole[index][:, None]], 1)
    pixels = (torch.from_numpy(tiles).permute(0, 1, 4, 2, 3).float() / 255 - 0.5) / 0.5
    maps = shard.rest["canvas_labels"][index].transpose(0, 2, 3, 1)
    side = maps.shape[1] // rows
    maps = _blocks(maps, rows, columns, side)
    whole = shard.rest["global_labels"][index].transpose(0, 2, 3, 1)[:, None]
    labels = np.concatenate([maps, whole], 1).transpose(0, 1, 4, 2, 3)
    labels = torch.from_numpy(labels.reshape(*labels.shape[:3], -1).astype(np.int64))
    return pixels.to(dtype).contiguous(), labels, torch.from_numpy(shard.rest["counts"][index].astype(np.int64))


class Packer:
    """Turns questions into ids, positions and masks, with the processor's own tokenizer and prompt."""

    def __init__(self, processor):
        self.processor, self.tokenizer = processor, processor.tokenizer
        self.pad = self.tokenizer.pad_token_id
        split = processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "\0"}]}],
            add_generation_prompt=True).split("\0")
        self.before, self.after = split

    @functools.lru_cache(maxsize=None)
    def prefix(self, grid):
        """Ids of the prompt up to the question."""
        picture = self.processor.replace_image_token({"rows": [[grid[0]]], "cols": [[grid[1]]]}, 0)
        return self.tokenizer(self.before.replace("<image>", picture), add_special_tokens=False)["input_ids"]

    @functools.lru_cache(maxsize=None)
    def block(self, question, answer):
        """(ids, first answer index) of question + end of turn + answer + end of utterance."""
        ask = self.tokenizer(question + self.after, add_special_tokens=False)["input_ids"]
        reply = self.tokenizer(" " + answer + "<end_of_utterance>", add_special_tokens=False)["input_ids"]
        return tuple(ask + reply), len(ask)

    def pack(self, grid, chosen):
        """`chosen`: for each picture a list of (category, question, answer). Returns a dict of tensors:
        ids, positions [B, S]; mask bool [B, 1, S, S]; where, targets, owner: the places to predict from (flat index
        into B*S), the ids to predict, and the number of the question each belongs to; categories of the questions."""
        prefix = self.prefix(grid)
        rows = [[self.block(q, a) for _, q, a in questions] for questions in chosen]
        length = len(prefix) + max(sum(len(ids) for ids, _ in row) for row in rows)
        ids = np.full((len(rows), length), self.pad, np.int64)
        positions = np.zeros((len(rows), length), np.int64)
        owner = np.full((len(rows), length), -2, np.int64)  # -1 prefix, 0.. question, -2 padding
        where, targets, whose = [], [], []
        number = 0
        for b, row in enumerate(rows):
            ids[b, :len(prefix)], owner[b, :len(prefix)] = prefix, -1
            positions[b, :len(prefix)] = np.arange(len(prefix))
            at = len(prefix)
            for block, first in row:
                end = at + len(block)
                ids[b, at:end], owner[b, at:end] = block, number
                positions[b, at:end] = len(prefix) + np.arange(len(block))
                where.extend(range(b * length + at + first - 1, b * length + end - 1))
                targets.extend(block[first:])
                whose.extend([number] * (len(block) - first))
                number += 1
                at = end
        owner = torch.from_numpy(owner)
        order = torch.arange(length)
        seen = (owner[:, None, :] == -1) | (owner[:, None, :] == owner[:, :, None])
        mask = seen & (order[None, None, :] <= order[None, :, None])
        return {"ids": torch.from_numpy(ids), "positions": torch.from_numpy(positions), "mask": mask[:, None],
                "where": torch.tensor(where), "targets": torch.tensor(targets), "owner": torch.tensor(whose),
                "categories": [c for questions in chosen for c, _, _ in questions]}


__all__ = ["CLASSES", "SHARD", "Packer", "Shard", "pictures"]
