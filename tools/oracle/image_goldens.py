# Goldens of the image station: decoding, resizing, tiling and normalising, made with Pillow and transformers.
# In: the folder tests/data/images. Out: the encoded pictures of image_files.py and tiff_files.py there that are missing
# (encoders change from version to version), and images.json, resize.json, plans.json, tiles.json with sizes and CRC-32 of
# the bytes the reference gives for them. Another Pillow than the default gives resize.json and tiles.json alone, in
# pillow12/. Reference: Pillow 13.0 and 12.3, transformers 5.18.0 (PIL image processors of Idefics3 and SmolVLM).
# Usage: python tools/oracle/image_goldens.py [--pillow 12.3.0] -o tests/data/images

import argparse
import json
import pathlib
import random
import warnings
import zlib

import image_files
import numpy as np
import tiff_files
import versions
from PIL import Image
from transformers import image_processing_backends
from transformers.image_utils import load_image
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def settings(longest_edge, tile, resample="lanczos", **options):
    values = {
        "longest_edge": longest_edge,
        "tile": tile,
        "resample": resample,
        "do_resize": True,
        "do_image_splitting": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        **HALF,
    }
    return values | options


CONFIGS = {
    "smolvlm_256m": settings(2048, 512),
    "smolvlm_2b": settings(1536, 384),
    "idefics3": settings(1456, 364),
    "small": settings(256, 64),
    "small_bicubic_clip": settings(256, 64, "bicubic", **CLIP),
    "small_bilinear": settings(200, 48, "bilinear"),
    "small_nearest": settings(192, 32, "nearest"),
    "small_box": settings(192, 48, "box"),
    "small_hamming": settings(192, 48, "hamming"),
    "no_split": settings(2048, 512, do_image_splitting=False),
    "small_no_split": settings(256, 64, do_image_splitting=False),
    "as_is": settings(256, 64, do_resize=False),
    "as_is_no_split": settings(256, 64, do_resize=False, do_image_splitting=False),
    "beyond_bound": settings(6000, 364),
    "both_edges": settings(0, 64, size={"height": 100, "width": 200}),
    "square": settings(0, 64, size=130),
    "no_rescale": settings(128, 64, do_rescale=False, **CLIP),
    "no_normalize": settings(128, 64, do_normalize=False),
    "bytes_only": settings(128, 64, do_rescale=False, do_normalize=False),
    "odd_factor": settings(128, 64, rescale_factor=0.00784313725490196, **CLIP),
}

SMALL = ["small", "small_bicubic_clip", "small_bilinear", "small_no_split", "as_is"]
TILES = {
    "smolvlm_256m": ["100x80", "640x488", "1x1", "37x90", "1000x3", "2048x2048", "1x3000", "8000x6000"],
    "smolvlm_2b": ["300x60", "100x80"],
    "idefics3": ["640x488", "300x60", "364x364", "365x364", "1x1"],
    "no_split": ["640x488", "300x60", "1x3000", "512x512"],
    **dict.fromkeys(("small_nearest", "small_box", "small_hamming"), ["37x90", "640x488", "1x1", "193x191"]),
    "as_is_no_split": ["64x64", "300x60"],
    "beyond_bound": ["7x5"],
    **dict.fromkeys(("both_edges", "square"), ["37x90", "300x60"]),
    **dict.fromkeys(("no_rescale", "no_normalize", "bytes_only", "odd_factor"), ["37x90", "100x80"]),
    **dict.fromkeys(SMALL, ["1x1", "100x80", "640x488", "37x90", "300x60", "64x64", "65x64", "256x255", "3x400"]),
}
PLAN_SIZES = (
    "1x1 1x2 2x1 1x3000 3000x1 8000x6000 6000x8000 100x80 80x100 640x488 640x480 480x640 2048x2048 37x90 300x60 60x300"
    " 1000x3 3x1000 1920x1080 1080x1920 512x512 513x512 512x513 511x512 1024x512 364x364 365x364 364x365 1456x1456"
    " 1457x1456 4096x4096 4097x4096 4096x4097 5000x4999 333x777 777x333 1023x767 99x101 65535x2 2x65535 12345x67"
    " 2047x2049 31x33 1536x1536 1537x1535 720x1280 4032x3024 3024x4032 10x9 9x10 255x257 63x65 127x2000"
).split()

RESIZES = (
    # (width, height, new width, new height): identity, one axis alone, tiny, thin, large, odd
    "1x1 512x512, 1x1 1x1, 2x1 7x5, 1x5000 16x16, 5000x1 16x16, 1x5000 1x333, 5000x1 333x1, 3x3 1x1, 64x64 64x64,"
    " 64x64 65x64, 64x64 64x65, 64x64 63x64, 64x64 64x63, 100x80 2048x1638, 2048x1638 512x512, 640x488 512x512,"
    " 37x90 842x2048, 300x60 256x52, 97x31 31x97, 31x97 97x31, 200x200 7x3, 7x3 200x200, 1000x3 364x364,"
    " 3x1000 364x364, 511x513 512x512, 17x1 16x9, 1x17 9x16, 1024x16 16x1024, 257x129 64x32, 12x900 11x899,"
    # around the border at which the vertical pass comes first
    " 20x30 24x16, 30x20 24x16, 40x60 30x40, 40x60 30x39, 40x61 30x40, 40x60 40x59, 40x60 40x58, 40x60 41x59,"
    " 40x60 41x60, 40x60 41x61, 40x60 39x58, 40x60 39x57, 60x40 60x39, 20x300 10x200, 300x900 299x2, 9x2000 8x3,"
    " 2x201 2x200, 3x301 4x300, 2x250 9x300"
)
LARGE_RESIZES = "8000x6000 2048x1536, 3000x4000 333x2048"


def parse(size):
    return tuple(int(part) for part in size.split("x"))


def crc(array):
    return f"{zlib.crc32(np.ascontiguousarray(array).tobytes()):08x}"


def synthetic(width, height):
    """Bytes [height, width, 3] from an integer formula, which the tests repeat."""
    x = np.arange(width, dtype=np.int64)[None, :, None]
    y = np.arange(height, dtype=np.int64)[:, None, None]
    c = np.arange(3, dtype=np.int64)[None, None, :]
    return ((x * 7 + y * 13 + c * 29 + (x * y) % 251) & 255).astype(np.uint8)


def image_goldens(folder):
    rows = []
    for name, data in sorted((image_files.files() | tiff_files.files()).items()):
        if not (folder / name).exists():
            (folder / name).write_bytes(data)
        with Image.open(folder / name) as opened:
            opened.load()
            mode = opened.mode
        rgb = load_image(str(folder / name))
        rows.append({"file": name, "mode": mode, "width": rgb.width, "height": rgb.height, "crc32": crc(np.array(rgb))})
    return rows


def resize_goldens():
    """[width, height, new width, new height, filter, checksum]."""
    rows = []
    for text, names in ((RESIZES, FILTERS), (LARGE_RESIZES, ("lanczos", "nearest"))):
        for pair in text.split(","):
            old, new = (parse(size) for size in pair.split())
            source = Image.fromarray(synthetic(*old))
            for name in names:
                resized = source.resize(new, FILTERS[name])
                rows.append([*old, *new, name, crc(np.array(resized))])
    return rows


def random_resize_goldens():
    """The same of 300 random sizes, each with one filter."""
    draw = random.Random(3)
    rows = []
    for index in range(300):
        old, new = ([int(2 ** draw.uniform(0, 9)) for _ in range(2)] for _ in range(2))
        if index % 4 == 0:  # at the border where the vertical pass comes first
            new[1] = max(1, old[1] - max(0, (old[0] - new[0]) * 2) - draw.randrange(2))
        name = list(FILTERS)[index % len(FILTERS)]
        resized = Image.fromarray(synthetic(*old)).resize(tuple(new), FILTERS[name])
        rows.append([*old, *new, name, crc(np.array(resized))])
    return rows


def processor(values, kind=Idefics3ImageProcessorPil):
    skip = ("longest_edge", "tile", "resample", "size")
    return kind(
        size=values.get("size") or {"longest_edge": values["longest_edge"]},
        max_image_size={"longest_edge": values["tile"]},
        resample=FILTERS[values["resample"]],
        **{key: value for key, value in values.items() if key not in skip},
    )


def run(values, array, kind=Idefics3ImageProcessorPil, **options):
    out = processor(values, kind)([[Image.fromarray(array)]], return_tensors="np", return_row_col_info=True, **options)
    if not out["pixel_attention_mask"].all():
        raise SystemExit("a partial pixel_attention_mask, which the engine does not expect")
    return out["rows"][0][0], out["cols"][0][0], out["pixel_values"][0]


def tile_goldens():
    rows = []
    for name, sizes in TILES.items():
        for size in sizes:
            width, height = parse(size)
            array = synthetic(width, height)
            grid_rows, grid_cols, tiles = run(CONFIGS[name], array, do_rescale=False, do_normalize=False)
            floats = run(CONFIGS[name], array)[2].astype(np.float32)
            if width * height < 100_000:  # the two families are one algorithm
                other = run(CONFIGS[name], array, SmolVLMImageProcessorPil)[2]
                np.testing.assert_array_equal(floats, other)
            flat = floats.reshape(-1)
            rows.append(
                {
                    "config": name,
                    "width": width,
                    "height": height,
                    "rows": grid_rows,
                    "cols": grid_cols,
                    "tiles": len(tiles),
                    "crc32_bytes": crc(tiles),
                    "crc32_floats": crc(floats),
                    "first": [float(value) for value in flat[:4]],
                    "last": [float(value) for value in flat[-4:]],
                }
            )
    return rows


def plan_goldens():
    """Grids alone: the processor runs on arrays without memory of their own, whose resize only makes the size."""

    def sizes_only(self, image, size, resample=None, **kwargs):
        return np.broadcast_to(np.uint8(0), (3, size.height, size.width))

    original = image_processing_backends.PilBackend.resize
    image_processing_backends.PilBackend.resize = sizes_only
    rows = []
    for name, values in CONFIGS.items():
        tool = processor(values)
        tile = values["tile"]
        for size in PLAN_SIZES:
            width, height = parse(size)
            if not values["do_resize"] and max(width, height) > 4096:
                continue
            image = np.broadcast_to(np.uint8(0), (3, height, width))
            if values["do_resize"]:
                image = tool.resize(image, tool.size)
            scaled = image.shape[:0:-1]
            grid = (0, 0)
            if values["do_image_splitting"]:
                image = tool.resize_for_vision_encoder(image, tile)
                grid = tool.split_images(image, {"longest_edge": tile})[1:]
            rows.append([name, width, height, *scaled, *grid])
    image_processing_backends.PilBackend.resize = original
    return rows


def write(path, document):
    rows = ",\n".join(json.dumps(row) for row in document.pop("rows"))
    head = json.dumps(document)[:-1]
    path.write_text(f'{head}, "rows": [\n{rows}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description="Makes the goldens of the image station.")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True, help="folder of the test images")
    versions.add_arguments(parser, "transformers", "pillow")
    arguments = parser.parse_args()
    made_with = versions.check("transformers", "pillow")
    warnings.simplefilter("ignore")
    folder = versions.folder_for(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "resize.json", {"made_with": made_with, "rows": resize_goldens() + random_resize_goldens()})
    write(folder / "tiles.json", {"made_with": made_with, "configs": CONFIGS, "rows": tile_goldens()})
    if folder != arguments.out:
        return
    write(folder / "images.json", {"made_with": made_with, "rows": image_goldens(folder)})
    columns = ["config", "width", "height", "scaled_width", "scaled_height", "grid_rows", "grid_cols"]
    write(folder / "plans.json", {"made_with": made_with, "configs": CONFIGS, "columns": columns, "rows": plan_goldens()})


if __name__ == "__main__":
    main()
