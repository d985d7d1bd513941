# Proves that a vision tower written by `galago export` is a plain transformers tower with the same features.
# In: the exported folder, a trace of the model that it came from (`galago trace`). Out: the largest difference
# between transformers' features of the traced pixels and galago's, relative to the largest feature; exit 1 above
# the bound. With -o, also a golden for the C++ tests: one tile's pixels and what transformers makes of them.
# Usage: python tools/oracle/check_export.py -e TOWER --trace TRACE.safetensors [-o GOLDEN.safetensors]

import argparse
import json
import pathlib

import torch
import versions
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, CLIPVisionModel, SiglipVisionModel

from reference import check_versions

BOUND = 1e-4
CLASSES = {"siglip_vision_model": SiglipVisionModel, "clip_vision_model": CLIPVisionModel}


def load_tower(folder):
    """The exported tower in float32; stops unless every tensor was used and none is missing."""
    kind = CLASSES[json.loads((folder / "config.json").read_text())["model_type"]]
    tower, info = kind.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True, output_loading_info=True
    )
    if any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")):
        raise SystemExit(f"the exported names do not fit: {info}")
    return tower.eval()


def pixels_of(tower, folder, trace):
    """The traced pixels, recomputed from bytes with the exported image processor's numbers where bytes are there."""
    settings = AutoImageProcessor.from_pretrained(folder, backend="pil")
    side = tower.config.image_size
    if (settings.size["height"], settings.size["width"]) != (side, side):
        raise SystemExit(f"the image processor gives {settings.size}, the tower wants {side}")
    pixels = trace["pixel_values"]
    if "pixel_values_u8" in trace:
        mean, std = (torch.tensor(values)[:, None, None] for values in (settings.image_mean, settings.image_std))
        again = ((trace["pixel_values_u8"].double() * settings.rescale_factor).float() - mean) / std
        if not torch.allclose(again, pixels, rtol=0, atol=1e-6):
            raise SystemExit("the exported image processor does not give the traced pixels")
    return pixels


def main():
    parser = argparse.ArgumentParser(description="Compares an exported tower with the model that it came from.")
    parser.add_argument("-e", "--export", type=pathlib.Path, required=True, help="folder that galago export wrote")
    parser.add_argument("--trace", type=pathlib.Path, required=True, help="file that galago trace wrote")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="golden to write: the last tile")
    parser.add_argument("-t", "--threads", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(arguments.threads)
    tower = load_tower(arguments.export)
    trace = load_file(arguments.trace)
    pixels = pixels_of(tower, arguments.export, trace)
    ours = trace["vision_last_hidden_state"]
    with torch.no_grad():
        theirs = torch.cat([tower(tile[None]).last_hidden_state for tile in pixels])
    if isinstance(tower, CLIPVisionModel):
        theirs = theirs[:, 1:]
    difference = float((theirs - ours).abs().max() / theirs.abs().max())
    print(f"{arguments.export.name}: {len(pixels)} tiles, features {tuple(ours.shape)}, relative {difference:.2e}")
    if arguments.output:
        golden = {"pixel_values_u8": trace["pixel_values_u8"][-1:], "last_hidden_state": theirs[-1:]}
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in golden.items()}, arguments.output)
        arguments.output.chmod(0o644)
    if not difference <= BOUND:
        raise SystemExit(f"above {BOUND:.0e}")


if __name__ == "__main__":
    main()
