# Makes the table of the any-resolution tests: how pictures of many shapes are fitted, cut, and counted in rows.
# In: an output folder. Out: any_resolution.json in it, or with another Pillow than the default its tiles alone, in
# pillow12/any_resolution.json. The numbers of rows are counted twice, by the processor that
# writes the prompt and by the model that packs the features, and must agree.
# Reference: transformers 5.18 LlavaNextImageProcessorPil, LlavaNextProcessor, LlavaNextModel.pack_image_features.
# Usage: python tools/oracle/any_resolution_goldens.py [--pillow 12.3.0] -o tests/data/images

import argparse
import json
import pathlib
import random
import types
import zlib

import numpy as np
import torch
from PIL import Image
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_utils import ChannelDimension
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next.modeling_llava_next import LlavaNextModel
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor

import versions
from image_goldens import CLIP, HALF, synthetic

GRANITE = [[384 * h, 384 * w] for h in range(1, 11) for w in range(1, 11) if h * w <= 10]
LLAVA = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]


def grids(side, shapes):
    return [[side * h, side * w] for h, w in shapes]


# name: tile side, patches per side, pinpoints
SHAPES = {"granite": (384, 27, GRANITE), "llava": (336, 24, LLAVA),
          "odd": (20, 5, grids(20, [(1, 1), (1, 2), (2, 1), (3, 2), (2, 3), (7, 1)])),
          "one": (384, 27, [[768, 768]])}

SQUARES = grids(24, [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (1, 3)])
# name: settings of the image processor
SETTINGS = {
    "height_width": dict(size={"height": 24, "width": 24}, crop_size={"height": 24, "width": 24}, **HALF),
    "shortest_edge": dict(size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}, **CLIP),
    "shrunk_then_padded": dict(size={"shortest_edge": 17}, crop_size={"height": 24, "width": 24}, **CLIP),
    "grown_then_cropped": dict(size={"height": 31, "width": 28}, crop_size={"height": 24, "width": 24}, **HALF),
    "narrow_and_tall": dict(size={"height": 33, "width": 19}, crop_size={"height": 24, "width": 24}, **HALF),
    "tiles_not_resized": dict(size={"shortest_edge": 30}, crop_size={"height": 24, "width": 24}, do_resize=False,
                              **HALF),
    "no_crop": dict(size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}, do_center_crop=False,
                    resample=2, **HALF),
    "lanczos": dict(size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}, resample=1, **HALF),
}
PICTURES = [(24, 24), (50, 20), (20, 50), (33, 71), (1, 1), (3, 5), (2, 90), (300, 7), (96, 96), (47, 48), (131, 64)]


def sizes():
    """[width, height] pairs: ordinary, at the limits of a shape, and many at random."""
    draw = random.Random(5)
    fixed = [(1, 1), (1, 2), (2, 1), (336, 336), (384, 384), (640, 480), (480, 640), (1920, 1080), (800, 800),
             (3840, 384), (384, 3840), (1000, 1), (1, 1000), (65535, 1), (1, 65535), (65535, 65535), (729, 27),
             (27, 729), (1152, 1151), (1151, 1152), (100, 80), (37, 90), (300, 60), (672, 337), (500, 167),
             (49, 98), (98, 49), (55, 198)]  # the last three: products a little below a whole number
    return fixed + [tuple(int(2 ** draw.uniform(0, 12)) for _ in range(2)) for _ in range(260)]


def rows_of(size, side, patches, points):
    """Rows of a picture by the processor and by the model."""
    width, height = size
    processor = types.SimpleNamespace(
        image_processor=types.SimpleNamespace(image_grid_pinpoints=points),
        patch_size=side // patches,
        num_additional_image_tokens=0,
        _get_unpadded_features=lambda *sizes: LlavaNextProcessor._get_unpadded_features(None, *sizes),
    )
    counted = LlavaNextProcessor._get_number_of_features(processor, height, width, side, side)

    vision = types.SimpleNamespace(image_size=side, patch_size=side // patches)
    model = types.SimpleNamespace(config=types.SimpleNamespace(vision_config=vision, image_grid_pinpoints=points))
    best = select_best_resolution((height, width), points)
    tiles = 1 + best[0] // side * (best[1] // side)
    features = torch.arange(tiles * patches**2).reshape(tiles, patches**2, 1).double()
    packed, _ = LlavaNextModel.pack_image_features(
        model, [features], [(height, width)], "full", image_newline=torch.tensor([-1.0]).double()
    )
    order = packed[0].flatten().to(torch.int64)
    if len(order) != counted:
        raise SystemExit(f"{size}: the processor counts {counted} rows, the model packs {len(order)}")
    return counted, zlib.crc32(order.to(torch.int32).numpy().astype("<i4").tobytes())


def plans():
    rows = []
    for name, (side, patches, points) in SHAPES.items():
        for width, height in sizes():
            best = select_best_resolution((height, width), points)
            flat = np.broadcast_to(np.uint8(0), (3, height, width))
            fitted = get_patch_output_size(flat, best, input_data_format=ChannelDimension.FIRST)
            counted, order = rows_of((width, height), side, patches, points)
            rows.append([name, width, height, *best, *fitted, counted, f"{order:08x}"])
    return rows


def tiles():
    rows = []
    for name, settings in SETTINGS.items():
        processor = LlavaNextImageProcessorPil(image_grid_pinpoints=SQUARES, **settings)
        for width, height in PICTURES:
            picture = Image.fromarray(synthetic(width, height))
            try:
                raw = processor([picture], return_tensors="np", do_rescale=False, do_normalize=False)["pixel_values"][0]
                floats = processor([picture], return_tensors="np")["pixel_values"][0]
            except ValueError:
                rows.append([name, width, height, 0, "", ""])  # tiles of different sizes: the reference cannot stack
                continue
            rows.append([name, width, height, len(raw), f"{zlib.crc32(np.ascontiguousarray(raw).tobytes()):08x}",
                         f"{zlib.crc32(np.ascontiguousarray(floats.astype(np.float32)).tobytes()):08x}"])
    return rows


def main():
    parser = argparse.ArgumentParser(description="Makes the table of the any-resolution tests.")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True)
    versions.add_arguments(parser, "torch", "transformers", "pillow")
    arguments = parser.parse_args()
    folder = versions.folder_for(arguments.out)
    table = {
        "made_with": versions.check("torch", "transformers", "pillow"),
        "shapes": {name: {"side": side, "patches": patches, "pinpoints": points}
                   for name, (side, patches, points) in SHAPES.items()},
        "settings": {name: dict(value, image_grid_pinpoints=SQUARES) for name, value in SETTINGS.items()},
        "plan_columns": "shape, width, height, canvas height and width, fitted height and width, rows, crc32 of order",
        "plans": plans() if folder == arguments.out else [],
        "tiles": tiles(),
    }
    text = json.dumps(table, separators=(",", ":"))
    (folder / "any_resolution.json").write_text(text.replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    main()
