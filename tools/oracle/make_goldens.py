# Makes every golden of the parity tests from the tiny checkpoints and the test pictures.
# In: the test data folder (models/ and pictures/ in it). Out: goldens/<name>/ in the same folder.
# Usage: python tools/oracle/make_goldens.py -d tests/data [--only NAME]

import argparse
import pathlib

import numpy as np
import torch
import versions
from PIL import Image

from make_golden import make
from reference import Oracle

NO_SPLIT = {"do_image_splitting": False}

# golden: model directory, question, pictures, and where wanted system, options, given pixels, all_pixels kept
GOLDENS = {
    "smolvlm_tiles": ("smolvlm_tiles", "What is in this image?", ["shapes_100x80.png"], {"all_pixels": True}),
    "two_images": ("smolvlm_tiles", "Compare the two images.", ["shapes_37x90.png", "shapes_300x60.jpg"], {}),
    "no_split": ("smolvlm_tiles", "How many stars are there?", ["shapes_640x488.jpg"], {"options": NO_SPLIT}),
    "text_only": ("smolvlm_tiles", "What colour is the house in 2024?", [], {}),
    "grid27_scale3": ("grid27_scale3", "What is in this image?", ["shapes_300x60.jpg"], {}),
    "grid26_scale2_partial": (
        "grid26_scale2_partial",
        "What is in this image?",
        ["shapes_300x60.jpg", "shapes_37x90.png", "shapes_640x488.jpg"],
        {"options": NO_SPLIT, "given": True},
    ),
    "tied_head": ("tied_head", "Compare the two images.", ["shapes_100x80.png", "shapes_37x90.png"], {}),
    "grid25_llama3": (
        "grid25_llama3",
        "Where is the bicycle?",
        ["shapes_37x90.png"],
        {"system": "You are a helpful assistant."},
    ),
}


def padded_tiles(paths, side):
    """Pictures shrunk into a square without changing their shape, the rest padding -> (pixels, mask).

    The image processor of transformers 5.18 always ends in full squares, so a partial patch mask cannot come from
    it; the model accepts one, and here it gets one. Pixels [N,3,side,side] f32 are normalised with 0.5 and 0.5,
    padding is 0.0, the mask [N,side,side] is 1 on the picture. Sides are made odd where they can be, so that the
    last patch row or column is covered in part only and counts as present.
    """
    pixels = torch.zeros(len(paths), 3, side, side)
    mask = torch.zeros(len(paths), side, side, dtype=torch.int64)
    for index, path in enumerate(paths):
        picture = Image.open(path).convert("RGB")
        ratio = side / max(picture.size)
        width, height = (side if value * ratio >= side else int(value * ratio) | 1 for value in picture.size)
        bytes_ = np.array(picture.resize((width, height), Image.Resampling.LANCZOS))
        floats = (bytes_.astype(np.float32) / 255 - 0.5) / 0.5
        pixels[index, :, :height, :width] = torch.from_numpy(floats).permute(2, 0, 1)
        mask[index, :height, :width] = 1
    return pixels, mask


def main():
    parser = argparse.ArgumentParser(description="Makes the goldens of the parity tests with transformers.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    parser.add_argument("--only", choices=sorted(GOLDENS), help="make this one only")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    for name, (model, prompt, pictures, extra) in GOLDENS.items():
        if arguments.only not in (None, name):
            continue
        oracle = Oracle(arguments.data / "models" / model)
        paths = [arguments.data / "pictures" / picture for picture in pictures]
        question = {"prompt": prompt, "image_paths": paths, **extra}
        side = oracle.model.config.vision_config.image_size
        given = padded_tiles(paths, side) if question.pop("given", False) else None
        keep = question.pop("all_pixels", None)
        print(name, make(oracle, model, arguments.data / "goldens" / name, question, keep_pixels=keep, given=given))


if __name__ == "__main__":
    main()
