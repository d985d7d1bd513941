# Reads held-out pages with transformers in float32, greedily, one page a prompt.
# In: a model directory, an output directory. Out: OUT/*.png, OUT/answers.jsonl (page, expected, ids), the table on stdout.
# Usage: evaluate.py MODEL OUT [--pages 200] [--threads 1]

import argparse
import json
import os

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from make_directory import PROMPT
from sample import make
from scores import edits, is_tag, plain, tables, teds

FIRST = 900_000_000  # seeds; training uses those from 1_000_000_000


class Reader:
    def __init__(self, directory):
        self.processor = AutoProcessor.from_pretrained(directory, backend="pil")
        self.model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32,
                                                                 attn_implementation="eager").eval()
        message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}]
        self.prompt = self.processor.apply_chat_template(message, add_generation_prompt=True)

    @torch.no_grad()
    def read(self, path, limit=320):
        inputs = self.processor(text=self.prompt, images=[Image.open(path).convert("RGB")], return_tensors="pt")
        ids = self.model.generate(**inputs, do_sample=False, max_new_tokens=limit)[0, inputs["input_ids"].shape[1]:]
        return ids.tolist()

    def pieces(self, ids):
        tokenizer = self.processor.tokenizer
        return [tokenizer.decode([i]) for i in ids]


def elements(pieces):
    """Opening tags in order."""
    return [p for p in pieces if is_tag(p) and not p.startswith(("</", "<loc_", "<end", "<_"))]


def boxes_close(expected, got):
    """Share of expected locations that are met to 20 of 500 at the same place among the locations."""
    numbers = lambda pieces: [int(p[5:-1]) for p in pieces if p.startswith("<loc_")]
    a, b = numbers(expected), numbers(got)
    return sum(abs(x - y) <= 20 for x, y in zip(a, b)), len(a)


def score(rows):
    """Markdown lines about rows of (expected pieces, pieces)."""
    wrong = total = whole = tags = near = places = 0
    full, structure = [], []
    for expected, got in rows:
        text = plain(expected)
        wrong += edits(text, plain(got))
        total += len(text)
        whole += text == plain(got)
        tags += elements(expected) == elements(got)
        hit, of = boxes_close(expected, got)
        near, places = near + hit, places + of
        a, b = tables(expected), tables(got)
        for number in range(max(len(a), len(b))):
            pair = (a[number], b[number]) if number < min(len(a), len(b)) else None
            full.append(teds(*pair) if pair else 0.0)
            structure.append(teds(*pair, words=False) if pair else 0.0)
    mean = lambda v: 100 * sum(v) / max(len(v), 1)
    return "\n".join(["| measure | value |", "|---|---|", f"| pages | {len(rows)} |",
                      f"| characters right (1 - CER) | {100 * (1 - wrong / total):.1f} % of {total} |",
                      f"| tables: TEDS | {mean(full):.1f} % of {len(full)} tables |",
                      f"| tables: TEDS of the structure | {mean(structure):.1f} % |",
                      f"| pages with every tag right | {tags} |", f"| pages with every character right | {whole} |",
                      f"| locations within 20 of 500 | {100 * near / places:.1f} % |"])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("out")
    args.add_argument("--pages", type=int, default=200)
    args.add_argument("--first", type=int, default=FIRST, help="seed of the first page")
    args.add_argument("--threads", type=int, default=1)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    os.makedirs(args.out, exist_ok=True)
    reader, rows, lines = Reader(args.model), [], []
    for number in range(args.pages):
        sample = make(args.first + number, reader.processor.tokenizer.backend_tokenizer)
        name = f"{number:03d}.png"
        Image.fromarray(sample.image).save(f"{args.out}/{name}", optimize=True)
        ids = reader.read(f"{args.out}/{name}")
        rows.append((reader.pieces(sample.ids.tolist()), reader.pieces(ids)))
        lines.append({"page": name, "expected": sample.ids.tolist(), "ids": ids})
    with open(f"{args.out}/answers.jsonl", "w") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
    print(score(rows))


if __name__ == "__main__":
    main()
