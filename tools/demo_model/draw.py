# Draws one picture from a list of items: background, clutter, shapes, things, text.
# In: a layout (scenes.py) in fractions of the picture, a numpy Generator. Out: a PIL RGB image and the items' boxes.
# Units: pixels of the picture for sizes, boxes are (x0, y0, x1, y1) as fractions of width and height.

import functools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from vocabulary import COLOURS, THINGS

EMOJI_FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
FONT_ROOT = "/usr/share/fonts/truetype"
FONTS = [
    "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSerif-Bold.ttf",
    "dejavu/DejaVuSansMono-Bold.ttf", "liberation/LiberationSans-Bold.ttf", "liberation/LiberationSerif-Bold.ttf",
]
OVERSAMPLE = 4


@functools.lru_cache(maxsize=None)
def emoji_bitmap(name: str) -> Image.Image:
    """The thing's emoji as a tight RGBA bitmap (about 128 px)."""
    font = ImageFont.truetype(EMOJI_FONT, 109)
    canvas = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((20, 20), THINGS[name], font=font, embedded_color=True)
    return canvas.crop(canvas.getbbox())


@functools.lru_cache(maxsize=4096)
def text_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(f"{FONT_ROOT}/{path}", size)


@functools.lru_cache(maxsize=1)
def noise_bank() -> np.ndarray:
    """A fixed field of unit normal noise that pictures cut their speckle from (int16, value = 64 * sigma)."""
    return (np.random.default_rng(99).standard_normal((1400, 1400, 3)) * 64).astype(np.int16)


def _star(points: int, inner: float):
    steps = [(math.pi * i / points, 1.0 if i % 2 == 0 else inner) for i in range(2 * points)]
    return [(r * math.sin(a), -r * math.cos(a)) for a, r in steps]


def _heart():
    out = []
    for i in range(48):
        t = 2 * math.pi * i / 48
        x = 16 * math.sin(t) ** 3
        y = -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
        out.append((x / 17, (y + 2.5) / 16))
    return out


# Outlines in [-1, 1]^2, y down.
OUTLINES = {
    "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    "triangle": [(0, -0.95), (0.98, 0.85), (-0.98, 0.85)],
    "star": _star(5, 0.42),
    "heart": _heart(),
    "diamond": [(0, -1), (0.78, 0), (0, 1), (-0.78, 0)],
    "cross": [(-0.32, -1), (0.32, -1), (0.32, -0.32), (1, -0.32), (1, 0.32), (0.32, 0.32), (0.32, 1), (-0.32, 1),
              (-0.32, 0.32), (-1, 0.32), (-1, -0.32), (-0.32, -0.32)],
}


def shape_mask(kind: str, size: int, angle: float) -> Image.Image:
    """Antialiased L mask [size, size] of a shape turned by `angle` radians."""
    side = size * OVERSAMPLE
    mask = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(mask)
    half = side / 2
    if kind in ("circle", "ring"):
        pen.ellipse((1, 1, side - 2, side - 2), fill=255)
        if kind == "ring":
            w = side * 0.24
            pen.ellipse((w, w, side - 1 - w, side - 1 - w), fill=0)
    else:
        c, s = math.cos(angle), math.sin(angle)
        scale = half * (0.94 if angle else 1.0)
        pen.polygon([(half + scale * (x * c - y * s), half + scale * (x * s + y * c)) for x, y in OUTLINES[kind]],
                    fill=255)
    return mask.reduce(OVERSAMPLE)


def jitter(colour, rng, amount=14):
    return tuple(int(np.clip(v + rng.integers(-amount, amount + 1), 0, 255)) for v in colour)


def background(width: int, height: int, rng) -> Image.Image:
    """A light background: a plain colour or a soft gradient, sometimes thin lines and dots, sometimes speckle."""
    base = rng.integers(205, 256) + rng.integers(-14, 1, 3)
    top = np.clip(base, 190, 255).astype(np.float32)
    if rng.random() < 0.5:
        other = np.clip(rng.integers(205, 256) + rng.integers(-14, 1, 3), 190, 255).astype(np.float32)
        ramp = np.linspace(0, 1, height if rng.random() < 0.5 else width, dtype=np.float32)[:, None]
        line = top + (other - top) * ramp
        field = np.broadcast_to(line[:, None] if len(line) == height and width != height else line[None],
                                (height, width, 3))
    else:
        field = np.broadcast_to(top, (height, width, 3))
    image = Image.fromarray(field.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.4 else 0):
        ink = tuple(int(v) for v in np.clip(top - rng.integers(12, 45), 0, 255))
        ends = [float(v) for v in rng.random(4) * (width, height, width, height)]
        pen.line(ends, fill=ink, width=max(1, round(max(width, height) / 150)))
    for _ in range(int(rng.integers(1, 12)) if rng.random() < 0.3 else 0):
        ink = tuple(int(v) for v in np.clip(top - rng.integers(15, 60), 0, 255))
        x, y = rng.random() * width, rng.random() * height
        r = max(width, height) / 180
        pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    return image


def speckle(image: Image.Image, sigma: float, rng) -> Image.Image:
    """Adds normal noise of `sigma` grey levels."""
    bank = noise_bank()
    width, height = image.size
    y, x = rng.integers(0, bank.shape[0] - height), rng.integers(0, bank.shape[1] - width)
    noise = bank[y:y + height, x:x + width].astype(np.int32) * int(sigma * 16) >> 10
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.int32) + noise, 0, 255).astype(np.uint8))


def paste_shape(image, item, x, y, size, rng):
    angle = 0.0
    if item["name"] in ("square", "cross", "diamond"):
        angle = math.radians(float(rng.uniform(-8, 8)))
    elif item["name"] in ("triangle", "star", "heart"):
        angle = math.radians(float(rng.uniform(-16, 16)))
    mask = shape_mask(item["name"], size, angle)
    ink = Image.new("RGB", (size, size), jitter(COLOURS[item["colour"]], rng))
    image.paste(ink, (x, y), mask)


def paste_thing(image, item, x, y, size, rng):
    bitmap = emoji_bitmap(item["name"])
    scale = size / max(bitmap.size)
    turned = bitmap.resize((max(1, round(bitmap.width * scale)), max(1, round(bitmap.height * scale))),
                           Image.Resampling.BILINEAR, reducing_gap=2.0)
    if rng.random() < 0.35:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        turned = turned.rotate(float(rng.uniform(-14, 14)), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        alpha = turned.getchannel("A")
        turned = ImageEnhance.Brightness(turned.convert("RGB")).enhance(float(rng.uniform(0.82, 1.12)))
        turned.putalpha(alpha)
    image.paste(turned, (x + (size - turned.width) // 2, y + (size - turned.height) // 2), turned)


def paste_text(image, item, box, rng):
    """Writes item['name'] as large as fits the pixel box; returns one pixel box per character."""
    x0, y0, x1, y1 = box
    path = FONTS[int(rng.integers(len(FONTS)))]
    probe = text_font(path, 100).getbbox(item["drawn"])
    size = int(100 * min((x1 - x0) / (probe[2] - probe[0]), (y1 - y0) / (probe[3] - probe[1])))
    font = text_font(path, max(size, 8))
    left, top, right, bottom = font.getbbox(item["drawn"])
    tx = round((x0 + x1) / 2 - (left + right) / 2)
    ty = round((y0 + y1) / 2 - (top + bottom) / 2)
    ink = jitter(COLOURS[item["colour"]], rng)
    if rng.random() < 0.25:
        layer = Image.new("L", image.size, 0)
        ImageDraw.Draw(layer).text((tx, ty), item["drawn"], font=font, fill=255)
        layer = layer.rotate(float(rng.uniform(-4, 4)), Image.Resampling.BILINEAR,
                             center=((x0 + x1) / 2, (y0 + y1) / 2))
        image.paste(Image.new("RGB", image.size, ink), (0, 0), layer)
    else:
        ImageDraw.Draw(image).text((tx, ty), item["drawn"], font=font, fill=ink)
    boxes = []
    for i, letter in enumerate(item["drawn"]):
        a = tx + font.getlength(item["drawn"][:i])
        b = tx + font.getlength(item["drawn"][:i + 1])
        boxes.append((letter.lower(), (a, ty + top, b, ty + bottom)))
    return boxes


def draw_picture(layout: dict, rng):
    """Draws `layout` (see scenes.py). Returns (RGB image, labels) where labels are (kind, name, colour, box, whole)
    with the box in fractions of the picture, one for each item and one for each written character; `whole` is what
    a character belongs to: its word, or its place 0, 1, 2 in a number."""
    width, height = layout["size"]
    image = background(width, height, rng)
    labels = []

    def label(kind, name, colour, box, whole=None):
        x0, y0, x1, y1 = box
        labels.append((kind, name, colour, (x0 / width, y0 / height, x1 / width, y1 / height), whole))

    for item in layout["items"]:
        x0, y0, x1, y1 = (item["box"][0] * width, item["box"][1] * height, item["box"][2] * width,
                          item["box"][3] * height)
        if item["kind"] == "text":
            for place, (letter, box) in enumerate(paste_text(image, item, (x0, y0, x1, y1), rng)):
                label("letter", letter, item["colour"], box, item["name"] if item["is_word"] else place)
            continue
        size = max(8, round(x1 - x0))
        paste = paste_shape if item["kind"] == "shape" else paste_thing
        paste(image, item, round(x0), round(y0), size, rng)
        label(item["kind"], item["name"], item.get("colour"), (x0, y0, x1, y1))
    if rng.random() < 0.5:
        image = speckle(image, float(rng.uniform(2, 9)), rng)
    return image, labels
