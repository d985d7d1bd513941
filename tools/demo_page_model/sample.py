# One page: picture, answer and where each of the answer's tokens lies.
# In: a seed and a tokenizer (tokenizers.Tokenizer). Out: Sample. Units: pixels of the SIDE x SIDE picture.

import dataclasses
import io
import math

import numpy as np
from PIL import Image, ImageFilter

from layout import SIDE, Page

STEP = 10  # locations are multiples of this, in 500ths of the page


@dataclasses.dataclass
class Sample:
    image: np.ndarray  # uint8 [SIDE, SIDE]
    ids: np.ndarray  # the answer, <doctag> ... </doctag><end_of_utterance>
    boxes: np.ndarray  # float [n, 4] of each token, NaN where it is not drawn
    elements: list  # (tag, first token, one behind the last, box)
    cells: list  # (kind, row, column, box, wide, tall)
    chars: list  # (character, box)
    look: str  # clean, scanned, turned, or scanned and turned


class Writer:
    """Writes an answer token by token, with boxes."""

    def __init__(self, tokenizer, turn):
        self.tokenizer, self.turn = tokenizer, turn
        self.ids, self.boxes, self.elements, self.cells, self.chars = [], [], [], [], []

    def tag(self, name, box=None):
        self.ids.append(self.tokenizer.token_to_id(name))
        self.boxes.append(self.turn(box) if box else (math.nan,) * 4)

    def place(self, box):
        """The four locations of a box (turned already)."""
        q = [int(np.clip(round(v / SIDE * 500 / STEP), 0, 500 // STEP)) for v in box]
        q[2], q[3] = max(q[2], q[0] + 1), max(q[3], q[1] + 1)
        for low in (0, 1):
            if q[low + 2] > 500 // STEP:
                q[low], q[low + 2] = 500 // STEP - 1, 500 // STEP
        for value in q:
            self.tag(f"<loc_{value * STEP}>")

    def words(self, span):
        boxes = [b and self.turn(b) for b in span.boxes]
        self.chars += [(c, b) for c, b in zip(span.text, boxes) if b]
        encoded, at = self.tokenizer.encode(span.text, add_special_tokens=False), 0
        for token, name in zip(encoded.ids, encoded.tokens):
            self.ids.append(token)
            self.boxes.append(union(boxes[at:at + len(name)]))
            at += len(name)
        assert at == len(span.text) == len(boxes), span.text

    def element(self, element):
        start = len(self.ids)
        self.tag(f"<{element.tag}>")
        if element.items:
            for item in element.items:
                self.element(item)
        elif element.cells:
            self.table(element)
        else:
            box = union([b and self.turn(b) for b in element.span.boxes])
            self.place(box)
            if element.tag == "code":
                self.tag("<_Python_>")
            self.words(element.span)
            self.elements.append((element.tag, start, len(self.ids) + 1, box))
        self.tag(f"</{element.tag}>")

    def table(self, element):
        start, cells = len(self.ids) - 1, element.cells
        box = union([self.turn(element.box)])
        self.place(box)
        if element.caption:
            self.element(element.caption)
        for r, row in enumerate(cells):
            for c, (kind, span, where) in enumerate(row):
                wide = 1 + (c + 1 < len(row) and row[c + 1][0] == "lcel")
                tall = 1 + (r + 1 < len(cells) and cells[r + 1][c][0] == "ucel")
                self.cells.append((kind, r, c, self.turn(where), wide, tall))
                self.tag(f"<{kind}>", where)
                self.words(span)
            self.tag("<nl>")
        self.elements.append((element.tag, start, len(self.ids) + 1, box))


def union(boxes):
    found = [b for b in boxes if b]
    if not found:
        return (math.nan,) * 4
    a = np.array(found)
    return (*a[:, :2].min(0), *a[:, 2:].max(0))


def turner(degrees):
    """A function that moves a box as Image.rotate(degrees) moves its centre."""
    if not degrees:
        return lambda box: tuple(box)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def turn(box):
        x0, y0, x1, y1 = box
        cx, cy = (x0 + x1) / 2 - SIDE / 2, (y0 + y1) / 2 - SIDE / 2
        dx, dy = cx * cos + cy * sin - cx, cy * cos - cx * sin - cy
        return x0 + dx, y0 + dy, x1 + dx, y1 + dy

    return turn


def scanned(image, rng):
    """Blur, contrast and noise as a scanner leaves them."""
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.8))))
    pixels = np.asarray(image).astype(np.float32)
    if rng.random() < 0.5:
        slope = rng.uniform(-12, 12, 2)
        ramp = np.linspace(-1, 1, SIDE, dtype=np.float32)
        pixels += slope[0] * ramp[:, None] + slope[1] * ramp[None] - abs(slope).sum()
    pixels += rng.standard_normal((SIDE, SIDE), dtype=np.float32) * float(rng.uniform(1, 6))
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=int(rng.integers(45, 95)))
        image = Image.open(packed)
    return image


def make(seed, tokenizer, largest=260):
    """The page of a seed; of at most `largest` tokens."""
    rng = np.random.default_rng(seed)
    while True:
        page = Page(rng).fill()
        scan = rng.random() < 0.3
        degrees = float(rng.uniform(-1, 1)) if rng.random() < 0.2 else 0.0
        writer = Writer(tokenizer, turner(degrees))
        writer.tag("<doctag>")
        for element in page.elements:
            writer.element(element)
        writer.tag("</doctag>")
        writer.tag("<end_of_utterance>")
        if page.elements and len(writer.ids) <= largest:
            break
    look = " and ".join(["scanned"] * scan + ["turned"] * bool(degrees)) or "clean"
    image = page.image
    if degrees:
        image = image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=page.paper)
    if scan:
        image = scanned(image, rng)
    return Sample(np.asarray(image), np.array(writer.ids), np.array(writer.boxes, np.float32), writer.elements,
                  writer.cells, writer.chars, look)
