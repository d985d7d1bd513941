# Makes one golden: runs transformers on a model directory, pictures and a question, and writes what it saw.
# In: -m a Hugging Face directory, --image files, -p the question. Out: a folder with golden.json and
# trace.safetensors, which `galago verify -m DIR --golden FOLDER` compares with its own run.
# Usage: python tools/oracle/make_golden.py -m DIR --image photo.jpg -p "What is this?" -o GOLDEN
#        [--max-new-tokens 64] [--no-split] [--system TEXT] [--all-pixels] [-t THREADS]

import argparse
import os
import pathlib

import numpy as np
import torch
import versions

from reference import Oracle, document_for, write_golden


def make(oracle, name, output, question, max_new_tokens=64, keep_pixels=None, given=None):
    """Runs one question on a loaded oracle and writes its golden -> a line of facts.

    question: prompt, image_paths, and where wanted system and options (image processor settings that differ from
    the directory's). given: (pixel_values [N,3,H,W], pixel_attention_mask [N,H,W]) instead of the processor's.
    """
    options = question.get("options") or {}
    *texts, inputs, tiles = oracle.prepare(
        question["prompt"], question["image_paths"], question.get("system"), options
    )
    if given is not None:
        inputs["pixel_values"], inputs["pixel_attention_mask"] = (part[None] for part in given)
    tensors, facts = oracle.record(inputs, max_new_tokens)
    if tiles is not None and given is None:
        check_tiles(oracle, tiles, tensors["pixel_values"])
        tensors["pixel_values_u8"] = torch.from_numpy(tiles)
    question = dict(question, images=[os.path.relpath(path, output) for path in question["image_paths"]])
    document = document_for(name, question, texts, facts, max_new_tokens)
    if given is not None:
        document["pixels"] = "given"
    write_golden(output, tensors, document, keep_pixels)
    size = sum(path.stat().st_size for path in pathlib.Path(output).iterdir())
    return (
        f"L={len(tensors['input_ids'])} N={len(tensors.get('pixel_values', []))}"
        f" n={len(tensors['generated_ids'])} distinct={len(set(tensors['generated_ids'].tolist()))}"
        f" min_margin={facts['min_margin']:.5f} bytes={size}"
    )


def check_tiles(oracle, tiles, pixels):
    """The stored bytes must give the stored floats: float64 product rounded to float32, then float32 steps."""
    settings = oracle.processor.image_processor
    scaled = (tiles.astype(np.float64) * settings.rescale_factor).astype(np.float32)
    mean = np.array(settings.image_mean, dtype=np.float32)[:, None, None]
    std = np.array(settings.image_std, dtype=np.float32)[:, None, None]
    if not np.array_equal((scaled - mean) / std, pixels.numpy()):
        raise SystemExit("the uint8 tiles do not reproduce pixel_values")


def main():
    parser = argparse.ArgumentParser(description="Makes one golden with transformers.")
    parser.add_argument("-m", "--model", type=pathlib.Path, required=True, help="Hugging Face model directory")
    parser.add_argument("--image", type=pathlib.Path, action="append", default=[], help="picture file, repeatable")
    parser.add_argument("-p", "--prompt", required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="golden folder")
    parser.add_argument("--system", help="system message")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--no-split", action="store_true", help="one tile a picture")
    parser.add_argument("--all-pixels", action="store_true", help="keep the float pixels whatever their size")
    parser.add_argument("-t", "--threads", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    question = {
        "prompt": arguments.prompt,
        "image_paths": arguments.image,
        "system": arguments.system,
        "options": {"do_image_splitting": False} if arguments.no_split else {},
    }
    oracle = Oracle(arguments.model, arguments.threads)
    keep = True if arguments.all_pixels else None
    print(make(oracle, arguments.model.resolve().name, arguments.output, question, arguments.max_new_tokens, keep))


if __name__ == "__main__":
    main()
