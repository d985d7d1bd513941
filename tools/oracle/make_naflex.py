# Records how NaFlex fits pictures of any shape into a number of patches, and how its table of positions follows them.
# In: nothing. Out: naflex_sizes.json, the sizes in pixels that pictures are resized to, and
# naflex_positions.safetensors, tables resized to grids of patches.
# Reference: transformers 5.18.0 get_image_size_for_max_num_patches and
# Siglip2VisionEmbeddings.resize_positional_embeddings (torch's antialiased bilinear interpolation) on a CPU.
# Usage: python tools/oracle/make_naflex.py -d tests/data/goldens

import argparse
import json
import pathlib
import random

import torch
import versions
from safetensors.torch import save_file
from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches
from transformers.models.siglip2.modeling_siglip2 import Siglip2VisionEmbeddings

from reference import check_versions

# side of a patch, most patches
BUDGETS = [(16, 256), (16, 1024), (14, 729), (16, 1), (8, 24), (5, 30), (1, 65536), (448, 3)]
# width, height; beside random ones
SHAPES = [(1, 1), (1, 65535), (65535, 1), (3, 5), (16, 16), (256, 256), (257, 256), (640, 480), (480, 640), (100, 80),
          (300, 60), (1920, 1080), (4000, 3000), (12000, 17), (17, 12000), (65535, 2730)]
# side of the table -> rows and columns of patches
GRIDS = {
    16: [(16, 16), (1, 1), (1, 256), (256, 1), (14, 18), (18, 14), (13, 19), (10, 25), (7, 36), (3, 85), (85, 3),
         (32, 32), (24, 42), (15, 17), (2, 128), (128, 2), (16, 15), (16, 1), (30, 1)],
    27: [(27, 27), (9, 81), (20, 36), (5, 7), (1, 3)],
    1: [(1, 1), (3, 2)],
    7: [(6, 5), (3, 10), (30, 1), (7, 4)],
}
CHANNELS = 3


def sizes():
    """(patch, most patches, [[width, height, resized width, resized height], ...]) of every budget."""
    generator = random.Random(1)
    shapes = SHAPES + [(generator.randint(1, 3000), generator.randint(1, 3000)) for _ in range(60)]
    for patch, most in BUDGETS:
        cases = []
        for width, height in shapes:
            to_height, to_width = get_image_size_for_max_num_patches(height, width, patch, most)
            cases.append([width, height, to_width, to_height])
        yield {"patch_size": patch, "max_num_patches": most, "cases": cases}


def positions():
    """{table_SIDE: [SIDE * SIDE, C], SIDE_ROWSxCOLS: [ROWS * COLS, C]}."""
    generator = torch.Generator().manual_seed(27)
    tensors = {}
    for side, grids in GRIDS.items():
        table = torch.randn((side, side, CHANNELS), generator=generator)
        tensors[f"table_{side}"] = table.reshape(side * side, CHANNELS).contiguous()
        for rows, cols in grids:
            resized = Siglip2VisionEmbeddings.resize_positional_embeddings(
                table, torch.tensor([[rows, cols]]), max_length=rows * cols
            )
            tensors[f"{side}_{rows}x{cols}"] = resized[0].contiguous()
    return tensors


def main():
    parser = argparse.ArgumentParser(description="Records NaFlex's sizes and resized positions.")
    parser.add_argument("-d", "--directory", type=pathlib.Path, required=True, help="tests/data/goldens")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    document = {"cases_are": "[width, height, resized width, resized height] in pixels", "budgets": list(sizes())}
    text = json.dumps(document).replace('{"patch_size"', '\n{"patch_size"')
    (arguments.directory / "naflex_sizes.json").write_text(text + "\n")
    path = arguments.directory / "naflex_positions.safetensors"
    save_file(dict(sorted(positions().items())), path)
    path.chmod(0o644)


if __name__ == "__main__":
    main()
