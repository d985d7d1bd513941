# Proves the two shortcuts of the training: tiles.py cuts the pixels that the processor cuts, and a packed question
# gets the logits that the same question gets alone in an ordinary prompt.
# In: a model directory. Out: exit status 0 when both hold; the largest differences on stdout.
# Usage: check.py MODEL

import sys

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import attention
import train
from draw import draw_picture
from packing import Packer
from questions import make_questions
from scenes import make_layout
from tiles import TILE, cut, grid_of

PICTURES = 40


def tiles_of(image):
    """Float tiles [T, 3, TILE, TILE] in -1..1 and the grid, by tiles.py."""
    canvas, whole = cut(image)
    rows, columns = grid_of(canvas)
    blocks = [canvas[r * TILE:(r + 1) * TILE, c * TILE:(c + 1) * TILE] for r in range(rows) for c in range(columns)]
    stack = np.stack(blocks + [whole]).astype(np.float32)
    return torch.from_numpy((stack / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).contiguous(), (rows, columns)


def prompt(processor, question):
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    return processor.apply_chat_template(message, add_generation_prompt=True)


@torch.no_grad()
def main():
    directory = sys.argv[1]
    processor = AutoProcessor.from_pretrained(directory, backend="pil")
    load = lambda kind: AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32,
                                                                    attn_implementation=kind).eval()
    model, plain = load(attention.register()), load("eager")
    packer = Packer(processor)
    pixel_gap = logit_gap = largest = 0.0
    for seed in range(PICTURES):
        rng = np.random.default_rng(seed)
        layout = make_layout(rng, (20, 700))
        image, _ = draw_picture(layout, rng)
        questions = make_questions(layout, rng)[:5]
        tiles, grid = tiles_of(image)
        packed = packer.pack(grid, [questions])
        logits = train.read_text(model, train.read_picture(model, tiles[None])[1], packed)
        for number, (_, question, answer) in enumerate(questions):
            text = prompt(processor, question) + " " + answer + "<end_of_utterance>"
            inputs = processor(text=text, images=[image], return_tensors="pt")
            pixel_gap = max(pixel_gap, (inputs["pixel_values"][0] - tiles).abs().max().item())
            mine = logits[packed["owner"] == number]
            alone = plain(**inputs).logits[0, -len(mine) - 1:-1]
            logit_gap = max(logit_gap, (mine - alone).abs().max().item())
            largest = max(largest, alone.abs().max().item())
    print(f"{PICTURES} pictures: pixels differ by at most {pixel_gap:.2e}, "
          f"logits (up to {largest:.1f}) by at most {logit_gap:.2e}")
    return 0 if pixel_gap < 1e-6 and logit_gap < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
