# Lays out pictures: which items are in one, where, how large. No drawing here.
# In: a numpy Generator. Out: {"size": (w, h), "kind": ..., "items": [...]}; an item has kind (shape, thing, text),
# name, colour, and box (x0, y0, x1, y1) in fractions of the picture; items never overlap.

import math

from vocabulary import COLOUR_NAMES, SHAPES, THING_NAMES, WORDS

# Item centres that leave no doubt about "left", "top", ... (fractions of width or height).
CLEAR_BANDS = [(0.12, 0.27), (0.44, 0.56), (0.73, 0.88)]
KINDS = {"shapes": 0.25, "things": 0.22, "word": 0.23, "number": 0.18, "mixed": 0.12}
TEXT_COLOURS = ["black", "blue", "purple", "red"]  # dark ink: easy to read on a light background


def band_of(v: float):
    """0, 1, 2 when v lies clearly low, middle or high; None when it is in between."""
    for i, (low, high) in enumerate(((0.0, 0.30), (0.42, 0.58), (0.70, 1.0))):
        if low <= v <= high:
            return i
    return None


def picture_size(rng, longest=(72, 400)):
    """(width, height): the longest edge log-uniform in `longest`, aspect ratio mostly below 1.6, at times about 2."""
    edge = math.exp(rng.uniform(math.log(longest[0]), math.log(longest[1])))
    draw = rng.random()
    ratio = rng.uniform(1.0, 1.6) if draw < 0.75 else (rng.uniform(1.6, 1.9) if draw < 0.85 else rng.uniform(2.05, 2.2))
    short = max(round(edge / ratio), 34)
    edge = round(edge)
    return (edge, short) if rng.random() < 0.62 else (short, edge)


def _overlaps(box, boxes, gap=0.02):
    return any(box[0] < b[2] + gap and b[0] < box[2] + gap and box[1] < b[3] + gap and b[1] < box[3] + gap
               for b in boxes)


def place(rng, size, taken, fraction):
    """A free box for a square item whose side is `fraction` of sqrt(w*h); None when none is found."""
    width, height = size
    side = min(fraction * math.sqrt(width * height), 0.92 * min(width, height))
    bw, bh = side / width, side / height
    for _ in range(40):
        if rng.random() < 0.75:
            (a, b), (c, d) = CLEAR_BANDS[rng.integers(3)], CLEAR_BANDS[rng.integers(3)]
            cx, cy = rng.uniform(a, b), rng.uniform(c, d)
        else:
            cx, cy = rng.uniform(0, 1, 2)
        cx = min(max(cx, bw / 2 + 0.01), 1 - bw / 2 - 0.01)
        cy = min(max(cy, bh / 2 + 0.01), 1 - bh / 2 - 0.01)
        box = (cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2)
        if not _overlaps(box, taken):
            return box
    return None


def item_fraction(rng, count):
    """Item side as a fraction of sqrt(area); fewer items may be larger."""
    high = {1: 0.75, 2: 0.48, 3: 0.40, 4: 0.34, 5: 0.30}.get(count, 0.28)
    low = 0.24 if count < 4 else 0.20
    return rng.uniform(low, high)


def pick(rng, names):
    return names[int(rng.integers(len(names)))]


def _scatter(rng, layout, items, taken):
    for item in items:
        box = place(rng, layout["size"], taken, item_fraction(rng, len(items)))
        if box is None:
            box = place(rng, layout["size"], taken, 0.2)
        if box is None:
            continue
        taken.append(box)
        layout["items"].append({**item, "box": box})


def shape_items(rng, count):
    """`count` shapes; few kinds and colours so that counting has something to count."""
    kinds = [pick(rng, SHAPES) for _ in range(int(rng.integers(1, 4)))]
    colours = [pick(rng, COLOUR_NAMES) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.35:
        kinds, colours = SHAPES, COLOUR_NAMES
    return [{"kind": "shape", "name": pick(rng, kinds), "colour": pick(rng, colours)} for _ in range(count)]


def thing_items(rng, count):
    kinds = [pick(rng, THING_NAMES) for _ in range(int(rng.integers(1, 4)))]
    if count <= 2 or rng.random() < 0.4:
        kinds = THING_NAMES
    return [{"kind": "thing", "name": pick(rng, kinds)} for _ in range(count)]


def text_item(rng, is_word, region):
    """A word or number in a box inside `region` (fractions). A character is 1/10 to 1/5 of the picture wide: small
    enough to lie in one or two tiles, large enough to be read."""
    if is_word:
        name = pick(rng, WORDS)
    else:
        digits = int(rng.integers(1, 4))
        name = str(int(rng.integers(0 if digits == 1 else 10 ** (digits - 1), 10 ** digits)))
    x0, y0, x1, y1 = region
    bw = min(0.06 + 0.16 * len(name), x1 - x0) * rng.uniform(0.75 if len(name) < 5 else 0.85, 1.0)
    bh = rng.uniform(0.27, 0.42)
    left, top = rng.uniform(x0, x1 - bw), rng.uniform(y0, y1 - bh)
    return {"kind": "text", "name": name, "drawn": name, "is_word": is_word, "colour": pick(rng, TEXT_COLOURS),
            "box": (left, top, left + bw, top + bh)}


def make_layout(rng, longest=(72, 400)) -> dict:
    """A random layout. `longest`: range of the picture's longest edge in pixels."""
    size = picture_size(rng, longest)
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    while kind not in ("shapes", "things") and not (max(size) < 1.4 * min(size) or size[0] > 2 * size[1]):
        size = picture_size(rng, longest)  # text would be much stretched, or too small to read in a narrow picture
    layout = {"size": size, "kind": str(kind), "items": []}
    taken = []
    if kind == "shapes":
        _scatter(rng, layout, shape_items(rng, int(rng.choice([1, 1, 2, 2, 3, 4, 5, 6]))), taken)
    elif kind == "things":
        _scatter(rng, layout, thing_items(rng, int(rng.choice([1, 1, 1, 2, 2, 3, 4, 5]))), taken)
    elif kind in ("word", "number"):
        layout["items"].append(text_item(rng, kind == "word", (0.03, 0.06, 0.97, 0.94)))
    else:
        first = rng.random() < 0.5
        region = (0.03, 0.03, 0.97, 0.47) if first else (0.03, 0.53, 0.97, 0.97)
        item = text_item(rng, rng.random() < 0.5, region)
        taken.append((0, 0, 1, 0.48) if first else (0, 0.52, 1, 1))
        others = [pick(rng, [shape_items, thing_items])(rng, 1)[0] for _ in range(int(rng.integers(1, 3)))]
        _scatter(rng, layout, others, taken)
        layout["items"].append(item)
    return layout
