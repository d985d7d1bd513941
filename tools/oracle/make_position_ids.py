# Scans the position ids of the vision tower for every table size and every number of present patches.
# In: nothing. Out: one JSON file with a CRC32 for each case and the full ids of a few tiles.
# Reference: Idefics3VisionEmbeddings.forward of transformers 5.18.0 (SmolVLM's copy is the same), on a CPU.
# Usage: python tools/oracle/make_position_ids.py -o tests/data/goldens/position_ids.json
#
# The two axes are independent: with S table rows and n present patch rows, patch row i gets bucket b(i), the same
# for columns, and the id of a present patch is b(row) * S + b(column). Padding patches get id 0. The number of
# present rows is counted in patch column 0, the number of present columns in patch row 0.
# What decides b(i), measured and confirmed here by buckets() below, which repeats it without torch:
# - the boundaries are float32, but torch.arange computes them from float64: step = 1.0 / S, count =
#   ceil((1.0 - step) / step), which is S instead of S - 1 at some S (3, 6, 7, 14, 19, ...; the extra last one is 1.0).
#   Element j of a whole block of 16 is float32(float64(float32(step + step * j8)) + (j - j8) * step), j8 being j
#   rounded down to a multiple of 8 (a vector register); the last count % 16 elements are float32(step + step * j).
# - the coordinate is float32(i * float32(1 / n)), clamped to float32(1 - 1e-6);
# - b(i) is the number of boundaries <= coordinate (torch.bucketize with right=True).
# A full tile (n = S) is therefore not the identity at S = 19, 25, 29, 31, ...; at 14, 16, 26, 27, 30 and 32 it is.

import argparse
import json
import math
import pathlib
import zlib

import numpy as np
import torch
import transformers
import versions
from transformers.models.idefics3.modeling_idefics3 import Idefics3VisionConfig, Idefics3VisionEmbeddings

from reference import check_versions

LARGEST = 64
# side of the table, patches of the tile (rows, columns), present patches (rows, columns)
TILES = [(26, (26, 26), (6, 26)), (26, (26, 26), (26, 11)), (27, (27, 27), (20, 27)), (19, (19, 19), (19, 19)),
         (31, (31, 31), (31, 17)), (32, (32, 32), (32, 32)), (30, (26, 26), (26, 26)), (5, (8, 7), (7, 6))]


class Recorder(torch.nn.Module):
    """Stands in for the position table and keeps the ids it is asked for."""

    def forward(self, ids):
        self.ids = ids
        return torch.zeros(1)


def reference_ids(side, tile, present):
    """Position ids [rows * columns] of one tile as transformers computes them."""
    config = Idefics3VisionConfig(hidden_size=1, num_attention_heads=1, image_size=side, patch_size=1)
    embeddings = Idefics3VisionEmbeddings(config)
    embeddings.position_embedding = Recorder()
    mask = torch.zeros(1, *tile, dtype=torch.bool)
    mask[:, : present[0], : present[1]] = True
    with torch.no_grad():
        embeddings(torch.zeros(1, 3, *tile), mask)
    return embeddings.position_embedding.ids[0].numpy()


def buckets(side, present):
    """The same for one axis with plain float arithmetic, to prove the description above -> int64 [present]."""
    step = 1.0 / side
    count = math.ceil((1.0 - step) / step)
    boundaries = []
    for j in range(count):
        j8 = j // 8 * 8
        if j < count // 16 * 16:
            boundaries.append(np.float32(float(np.float32(step + step * j8)) + (j - j8) * step))
        else:
            boundaries.append(np.float32(step + step * j))
    coordinates = np.arange(present, dtype=np.float32) * (np.float32(1.0) / np.float32(present))
    coordinates = np.minimum(coordinates, np.float32(1.0 - 1e-6))
    return np.searchsorted(np.array(boundaries, dtype=np.float32), coordinates, side="right").astype(np.int64)


def crc(ids):
    """CRC32 of the ids as little-endian int64."""
    return zlib.crc32(np.asarray(ids).astype("<i8").tobytes())


def scan():
    """Every side and every number of present patches up to LARGEST -> list of one entry a side."""
    sides = []
    for side in range(1, LARGEST + 1):
        sums = []
        for present in range(1, LARGEST + 1):
            ids = reference_ids(side, (present, 1), (present, 1)) // side
            if not np.array_equal(ids, buckets(side, present)):
                raise SystemExit(f"the description above is wrong at side {side}, {present} patches")
            sums.append(crc(ids))
            if present == side:
                wrong = [[int(i), int(b)] for i, b in enumerate(ids) if i != b]
        sides.append({"side": side, "not_identity": wrong, "crc32": sums})
    return sides


def main():
    parser = argparse.ArgumentParser(description="Scans the position ids of the vision tower.")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    tiles = []
    for side, tile, present in TILES:
        ids = reference_ids(side, tile, present).tolist()
        tiles.append({"side": side, "tile": tile, "present": present, "ids": ids})
    document = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "sides_are": "side: rows of the table; not_identity: [patch, bucket] where a full axis is not the identity; "
        "crc32[n - 1]: CRC32 of the n buckets of an axis with n present patches, little-endian int64",
        "sides": scan(),
        "tiles_are": "side: rows of the table; tile, present: patches [rows, columns]; ids: position ids row by row",
        "tiles": tiles,
    }
    lines = json.dumps(document).replace('{"side"', '\n{"side"')
    arguments.output.write_text(lines + "\n")


if __name__ == "__main__":
    main()
