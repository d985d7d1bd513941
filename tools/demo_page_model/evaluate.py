# Reads held-out pages with transformers in float32, greedily.
# In: a model directory, an output directory. Out: OUT/*.png and *.jpg, OUT/answers.jsonl (page, look, expected, ids), the table on stdout.
# Usage: evaluate.py MODEL OUT [--pages 200] [--processes 1]

import argparse
import io
import json
import multiprocessing
import os

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from make_directory import PROMPT
from sample import make
from scores import edits, is_tag, plain, tables, teds

FIRST = 900_000_000  # seeds; training uses those from 1_000_000_000
BATCH = 10  # pages read side by side


class Reader:
    def __init__(self, directory):
        self.processor = AutoProcessor.from_pretrained(directory, backend="pil")
        self.model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32,
                                                                 attn_implementation="eager").eval()
        message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}]
        self.prompt = self.processor.apply_chat_template(message, add_generation_prompt=True)

    @torch.no_grad()
    def read(self, paths, limit=320):
        """The answers' ids; all prompts are of one length, so that nothing is padded in front."""
        images = [[Image.open(path).convert("RGB")] for path in paths]
        inputs = self.processor(text=[self.prompt] * len(paths), images=images, return_tensors="pt")
        rows = self.model.generate(**inputs, do_sample=False, max_new_tokens=limit)[:, inputs["input_ids"].shape[1]:]
        end = self.processor.tokenizer.eos_token_id
        return [row[:row.index(end) + 1] if end in row else row for row in rows.tolist()]

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


def by_look(looks, rows):
    """Markdown lines: characters right on pages of each look."""
    lines = ["| pages | number | characters right |", "|---|---|---|"]
    for look in sorted(set(looks)):
        part = [(plain(expected), plain(got)) for name, (expected, got) in zip(looks, rows) if name == look]
        share = 1 - sum(edits(*pair) for pair in part) / sum(len(text) for text, _ in part)
        lines.append(f"| {look} | {len(part)} | {100 * share:.1f} % |")
    return "\n".join(lines)


def save_page(image, stem):
    """Clean pages as PNG, noisy ones as JPEG of quality 60, which is what is read; returns the file's path."""
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    if packed.tell() > 16_000:
        image.save(stem + ".jpg", quality=60)
        return stem + ".jpg"
    image.save(stem + ".png", optimize=True)
    return stem + ".png"


def start(model):
    global reader
    torch.set_num_threads(1)
    reader = Reader(model)


def answer(tasks):
    """Rows of answers.jsonl for some (file without ending, seed)."""
    samples = [make(seed, reader.processor.tokenizer.backend_tokenizer) for _, seed in tasks]
    paths = [save_page(Image.fromarray(s.image), stem) for s, (stem, _) in zip(samples, tasks)]
    return [{"page": os.path.basename(path), "look": sample.look, "expected": sample.ids.tolist(), "ids": ids}
            for path, sample, ids in zip(paths, samples, reader.read(paths))]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("out")
    args.add_argument("--pages", type=int, default=200)
    args.add_argument("--first", type=int, default=FIRST, help="seed of the first page")
    args.add_argument("--processes", type=int, default=1)
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    tasks = [(f"{args.out}/{n:03d}", args.first + n) for n in range(args.pages)]
    with multiprocessing.get_context("spawn").Pool(args.processes, start, (args.model,)) as pool:
        parts = pool.map(answer, [tasks[i:i + BATCH] for i in range(0, len(tasks), BATCH)], chunksize=1)
    answers = [a for part in parts for a in part]
    with open(f"{args.out}/answers.jsonl", "w") as f:
        f.writelines(json.dumps(a) + "\n" for a in answers)
    start(args.model)
    rows = [(reader.pieces(a["expected"]), reader.pieces(a["ids"])) for a in answers]
    print(score(rows) + "\n\n" + by_look([a["look"] for a in answers], rows))


if __name__ == "__main__":
    main()
