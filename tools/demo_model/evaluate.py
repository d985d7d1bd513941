# Asks the trained model held-out questions about held-out pictures, one prompt each, with transformers in float32.
# In: a model directory, an output directory. Out: OUT/*.png and *.jpg,
# OUT/answers.jsonl (picture, category, question, expected, answer, ids), and the table on stdout.
# Usage: evaluate.py MODEL OUT [--questions 500] [--seed 9000]

import argparse
import json
import os

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from draw import draw_picture
from questions import make_questions
from scenes import make_layout
from vocabulary import CATEGORIES

PER_PICTURE = 3
SHARES = {"name": 0.14, "colour": 0.12, "count": 0.15, "where": 0.13, "number": 0.11, "word": 0.12, "yesno": 0.10,
          "shape": 0.09, "side": 0.04}  # of the questions
TRAINED = (72, 400)  # longest edge of the training pictures, in pixels
LARGER = (440, 720)  # every fifth held-out picture is larger than any training picture


def pick_questions(questions, missing, rng):
    """Up to PER_PICTURE different questions, of the categories that miss most; `missing` counts down."""
    chosen = []
    order = [questions[i] for i in rng.permutation(len(questions))]
    for _ in range(PER_PICTURE):
        asked = {(c[0], c[2]) for c in chosen}
        left = [q for q in order if missing[q[0]] > 0 and (q[0], q[2]) not in asked]
        if not left:
            break
        chosen.append(max(left, key=lambda q: missing[q[0]]))
        missing[chosen[-1][0]] -= 1
    return chosen


def save_picture(image, stem):
    """Small pictures as PNG, others as JPEG of quality 90; returns the file's path."""
    if max(image.size) <= 130:
        image.save(stem + ".png")
        return stem + ".png"
    image.save(stem + ".jpg", quality=90)
    return stem + ".jpg"


def make_set(out, wanted, seed):
    """Writes the pictures; returns [(file name, category, question, expected)] of `wanted` questions."""
    missing = {c: round(share * wanted) for c, share in SHARES.items()}
    asked, number = [], 0
    while sum(missing.values()) > 0:
        rng = np.random.default_rng(seed * 1_000_000 + number)
        layout = make_layout(rng, LARGER if number % 5 == 4 else TRAINED)
        image, _ = draw_picture(layout, rng)
        chosen = pick_questions(make_questions(layout, rng), missing, rng)
        if chosen:
            path = save_picture(image, f"{out}/{number:03d}_{layout['kind']}")
            asked += [(os.path.basename(path), *question) for question in chosen]
        number += 1
    return asked


class Answerer:
    """transformers, float32, greedy, PIL image processor."""

    def __init__(self, directory):
        self.processor = AutoProcessor.from_pretrained(directory, backend="pil")
        self.model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32,
                                                                 attn_implementation="eager").eval()

    @torch.no_grad()
    def ask(self, picture, question):
        """(answer, generated ids)"""
        message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        prompt = self.processor.apply_chat_template(message, add_generation_prompt=True)
        inputs = self.processor(text=prompt, images=[Image.open(picture).convert("RGB")], return_tensors="pt")
        ids = self.model.generate(**inputs, do_sample=False, max_new_tokens=32)[0, inputs["input_ids"].shape[1]:]
        return self.processor.decode(ids, skip_special_tokens=True).strip(), ids.tolist()


def table(rows):
    """Markdown lines: right, asked and share by category and in all."""
    lines = ["| category | right | asked | exact |", "|---|---|---|---|"]
    for category in CATEGORIES + ["all"]:
        part = [r for r in rows if category in ("all", r["category"])]
        right = sum(r["answer"] == r["expected"] for r in part)
        lines.append(f"| {category} | {right} | {len(part)} | {100 * right / max(len(part), 1):.1f} % |")
    return "\n".join(lines)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("out")
    args.add_argument("--questions", type=int, default=500)
    args.add_argument("--seed", type=int, default=9000, help="in millions; training uses other seeds")
    args.add_argument("--threads", type=int, default=1)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    os.makedirs(args.out, exist_ok=True)
    asked = make_set(args.out, args.questions, args.seed)
    print(f"{len(asked)} questions on {len({a[0] for a in asked})} pictures")
    answerer, rows = Answerer(args.model), []
    for name, category, question, expected in asked:
        answer, ids = answerer.ask(f"{args.out}/{name}", question)
        rows.append({"picture": name, "category": category, "question": question, "expected": expected,
                     "answer": answer, "ids": ids})
    with open(f"{args.out}/answers.jsonl", "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)
    print(table(rows))
    for row in rows:
        if row["answer"] != row["expected"]:
            print(f"{row['picture']}: {row['question']} expected {row['expected']!r}, got {row['answer']!r}")


if __name__ == "__main__":
    main()
