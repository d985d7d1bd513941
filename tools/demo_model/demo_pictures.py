# Draws the sample pictures that ship with the demo model, and their questions.
# In: an output directory. Out: OUT/<name>.jpg|png and OUT/questions.tsv (file, question, expected answer).
# Usage: demo_pictures.py OUT
# The layouts are written by hand (fractions of the picture); seeds only choose background and jitter.

import os
import sys

import numpy as np

from draw import draw_picture


def _square(cx, cy, side, size):
    """Box of a square item: `side` is a fraction of the picture's smaller edge."""
    edge = side * min(size)
    return (cx - edge / size[0] / 2, cy - edge / size[1] / 2, cx + edge / size[0] / 2, cy + edge / size[1] / 2)


def thing(name, cx, cy, side):
    return {"kind": "thing", "name": name, "at": (cx, cy, side)}


def shape(colour, name, cx, cy, side):
    return {"kind": "shape", "name": name, "colour": colour, "at": (cx, cy, side)}


def text(written, colour, box, is_word):
    return {"kind": "text", "name": written.lower(), "drawn": written, "colour": colour, "box": box,
            "is_word": is_word}


PICTURES = [
    ("cat.jpg", (640, 480), 3, [thing("cat", 0.5, 0.5, 0.72)],
     [("What is in the picture?", "a cat"), ("Where is the cat?", "center"), ("Is there a dog?", "no")]),
    ("fruit.jpg", (360, 240), 11,
     [thing("apple", 0.2, 0.26, 0.4), thing("banana", 0.78, 0.24, 0.42), thing("strawberry", 0.24, 0.76, 0.38),
      thing("pineapple", 0.77, 0.74, 0.44)],
     [("Where is the banana?", "top right"), ("Is there a strawberry?", "yes"), ("How many things are there?", "4")]),
    ("dog_and_car.jpg", (400, 260), 5, [thing("dog", 0.24, 0.5, 0.6), thing("car", 0.76, 0.52, 0.6)],
     [("What is in the picture?", "a dog and a car"), ("What is on the left?", "a dog"),
      ("What is on the right?", "a car")]),
    ("shapes.png", (128, 128), 8,
     [shape("red", "circle", 0.2, 0.2, 0.27), shape("red", "star", 0.8, 0.22, 0.3),
      shape("blue", "square", 0.22, 0.8, 0.26), shape("green", "triangle", 0.5, 0.5, 0.26),
      shape("red", "heart", 0.8, 0.78, 0.27)],
     [("What shape is blue?", "square"),
      ("What colour is the triangle?", "green")]),
    ("number.jpg", (300, 200), 21, [text("274", "purple", (0.2, 0.28, 0.8, 0.7), False)],
     [("What number is written?", "274"), ("What colour is the number?", "purple")]),
    ("hello.jpg", (800, 520), 13, [text("hello", "blue", (0.08, 0.29, 0.92, 0.71), True)],
     [("What word is written?", "hello"), ("What is in the picture?", "the word hello")]),
]


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/questions.tsv", "w") as table:
        for name, size, seed, items, questions in PICTURES:
            placed = [{**i, "box": i["box"] if "box" in i else _square(*i["at"], size)} for i in items]
            image, _ = draw_picture({"size": size, "items": placed}, np.random.default_rng(seed))
            image.save(f"{out}/{name}", **({"quality": 92} if name.endswith("jpg") else {}))
            table.writelines(f"{name}\t{question}\t{answer}\n" for question, answer in questions)


if __name__ == "__main__":
    main()
