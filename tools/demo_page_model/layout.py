# Lays a page out and draws it: elements from top to bottom until the page is full.
# In: a numpy Generator. Out: Page: a grey PIL picture of SIDE x SIDE pixels and its elements in reading order.
# Units: pixels; boxes are [x0, y0, x1, y1]. The fonts are Debian's (fonts-dejavu-core, fonts-liberation,
# fonts-freefont-ttf), or those of the folder PAGE_FONTS.

import dataclasses
import functools
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import compose

SIDE = 384
FONT_ROOT = os.environ.get("PAGE_FONTS", "/usr/share/fonts/truetype")
BASELINE = 24  # of a line below its top
SLOT = 16  # lines lie on a grid: every top is a multiple of this, as on a page that is set in lines
# (regular, bold, height of a capital in ems)
FACES = [("dejavu/DejaVuSans", "dejavu/DejaVuSans-Bold", 0.73),
         ("liberation/LiberationSans-Regular", "liberation/LiberationSans-Bold", 0.69),
         ("freefont/FreeSerif", "freefont/FreeSerifBold", 0.66)]
MONO = "dejavu/DejaVuSansMono", 0.73


@functools.lru_cache(maxsize=None)
def font(name, size):
    return ImageFont.truetype(f"{FONT_ROOT}/{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=None)
def advance(name, size, letter):
    return font(name, size).getlength(letter)


@dataclasses.dataclass
class Span:
    """Text with a box for each character (None where nothing is drawn)."""
    text: str
    boxes: list


@dataclasses.dataclass
class Element:
    """One DocTags element. `cells`: rows of (kind, Span, box) of a table; `items`: the items of a list."""
    tag: str
    span: Span = None
    items: list = None
    cells: list = None
    caption: "Element" = None
    box: tuple = None


class Page:
    def __init__(self, rng):
        self.rng, self.elements = rng, []
        self.paper, self.ink = 255, int(rng.integers(0, 50))
        if rng.random() < 0.4:
            self.paper = int(rng.integers(222, 255))
        self.image = Image.new("L", (SIDE, SIDE), self.paper)
        self.pen = ImageDraw.Draw(self.image)
        self.left, right = (int(v) for v in rng.integers(12, 28, 2))
        self.right = SIDE - right
        self.regular, self.bold, ems = FACES[int(rng.integers(len(FACES)))]
        self.capital = float(rng.uniform(16, 19))
        self.size = round(self.capital / ems)
        self.ems = ems
        self.pitch = 2 * SLOT
        self.bottom = SIDE

    # Text

    def line(self, text, x, y, face, size):
        """Draws one line whose slot of 2 * SLOT pixels begins at y; returns the characters' boxes."""
        drawn = font(face, size)
        self.pen.text((x, y + BASELINE), text, font=drawn, fill=self.ink, anchor="ls")
        ends = x + np.concatenate([[0.0], np.cumsum([advance(face, size, c) for c in text])])
        top, bottom = y + BASELINE - 0.76 * size, y + BASELINE + 0.22 * size
        return [None if c == " " else (ends[i], top, ends[i + 1], bottom) for i, c in enumerate(text)]

    def wrap(self, text, width, face, size):
        """The words of `text` in lines of at most `width`."""
        drawn, lines = font(face, size), []
        for word in text.split(" "):
            if lines and drawn.getlength(lines[-1] + " " + word) <= width:
                lines[-1] += " " + word
            else:
                lines.append(word)
        return lines

    def block(self, text, x, width, face, size, pitch, align="left"):
        """Draws wrapped text at self.y and moves below it; None if it does not fit."""
        lines = self.wrap(text, width, face, size)
        if self.y + len(lines) * pitch > self.bottom or max(font(face, size).getlength(t) for t in lines) > width:
            return None
        boxes = []
        for number, words in enumerate(lines):
            slack = width - font(face, size).getlength(words)
            at = x + {"left": 0, "center": slack / 2, "right": slack}[align]
            boxes += ([None] if number else []) + self.line(words, round(at), self.y, face, size)
            self.y += pitch
        return Span(text, boxes)

    # Elements: each returns an Element, or None if there is no room

    def words(self, tag, text, face=None, size=None, align="left"):
        size = size or self.size
        span = self.block(text, self.left, self.right - self.left, face or self.regular, size,
                          self.pitch, align)
        return span and Element(tag, span)

    def list(self, ordered):
        items, indent = [], self.size * (1.5 if ordered else 1.1)
        mark = self.rng.choice(["•", "-"])
        for number in range(int(self.rng.integers(2, 5))):
            y = self.y
            span = self.block(compose.list_item(self.rng), self.left + indent, self.right - self.left - indent,
                              self.regular, self.size, self.pitch)
            if span is None:
                break
            self.pen.text((self.left, y + BASELINE), f"{number + 1}." if ordered else mark,
                          font=font(self.regular, self.size), fill=self.ink, anchor="ls")
            items.append(Element("list_item", span))
        return Element("ordered_list" if ordered else "unordered_list", items=items) if items else None

    def code(self):
        face, ems = MONO
        size, text = round(self.capital / ems), compose.code(self.rng)
        lines, pad = text.split("\n"), int(self.rng.integers(0, 8))
        height, width = len(lines) * self.pitch, max(font(face, size).getlength(t) for t in lines)
        if self.y + height > self.bottom or width > self.right - self.left - 2 * pad:
            return None
        if pad > 3:
            self.pen.rectangle((self.left, self.y, self.right, self.y + height), fill=self.paper - 18)
        boxes = []
        for number, line in enumerate(lines):
            boxes += ([None] if number else []) + self.line(line, self.left + pad, self.y, face, size)
            self.y += self.pitch
        return Element("code", Span(text, boxes))

    def formula(self):
        parts, size = compose.formula(self.rng), self.size
        small = round(size * 0.72)
        widths = [font(self.regular, small if level else size).getlength(text) for text, level in parts]
        gaps = [size * 0.25 if text in "=+-" else 0 for text, _ in parts]
        total = sum(widths) + 2 * sum(gaps)
        if total > self.right - self.left or self.y + 3 * SLOT > self.bottom:
            return None
        x, y = round((self.left + self.right - total) / 2), self.y
        text, boxes = "", []
        for (part, level), width, gap in zip(parts, widths, gaps):
            drop = {0: 0, 1: -0.36 * size, -1: 0.2 * size}[level]
            drawn = self.line(part, x + gap, y + drop, self.regular, small if level else size)
            around = ("^{", "_{")[level < 0] if level else ""
            text += around + part + ("}" if level else "")
            boxes += [None] * len(around) + drawn + [None] * (level != 0)
            x += width + 2 * gap
        self.y += 3 * SLOT
        return Element("formula", Span(text, boxes))

    def table(self):
        rows, spans = compose.table(self.rng)
        columns, header_rows = len(rows[0]), sum(any(k == "ched" for k, _ in row) for row in rows)
        head = self.bold if self.rng.random() < 0.6 else self.regular
        face = lambda r: head if r < header_rows else self.regular
        pad = int(self.rng.integers(5, 10))
        needed = lambda r, c: font(face(r), self.size).getlength(rows[r][c][1]) + 2 * pad
        widths = [max(needed(r, c) if rows[r][c][0] != "lcel" and rows[r][min(c + 1, columns - 1)][0] != "lcel" else 2 * pad
                      for r in range(len(rows))) for c in range(columns)]
        for r in range(len(rows)):
            for c in range(columns - 1):
                if rows[r][c + 1][0] == "lcel":
                    widths[c + 1] += max(0, needed(r, c) - widths[c] - widths[c + 1])
        room = self.right - self.left
        height = self.pitch
        above = self.rng.random() < 0.5
        title = compose.caption(self.rng) if self.rng.random() < 0.5 else None
        lines = len(self.wrap(title, room, self.regular, self.size)) if title else 0
        if sum(widths) > room or self.y + height * len(rows) + lines * self.pitch > self.bottom:
            return None
        if self.rng.random() < 0.5:
            widths = [w + (room - sum(widths)) / columns for w in widths]
        caption = title and above and self.words("caption", title)
        element = self.draw_table(rows, widths, height, face, pad, header_rows, grid=spans or self.rng.random() < 0.6)
        if title and not above:
            caption = self.words("caption", title)
        element.caption = caption or None
        return element

    def draw_table(self, rows, widths, height, face, pad, header_rows, grid):
        edges = self.left + np.concatenate([[0], np.cumsum(widths)])
        top, columns, ink = self.y, len(widths), int(self.rng.integers(0, 140))
        kind = lambda r, c: rows[r][c][0] if r < len(rows) and c < columns else ""
        if self.rng.random() < 0.3:
            self.pen.rectangle((edges[0], top, edges[-1], top + height * header_rows), fill=self.paper - 22)
        align, cells = self.rng.choice(["left", "center"]), []
        for r, row in enumerate(rows):
            cells.append([])
            for c, (name, text) in enumerate(row):
                x0, x1, y0, y1 = edges[c], edges[c + 1], top + r * height, top + (r + 1) * height
                cells[-1].append([name, Span("", []), (x0, y0, x1, y1)])
                right = edges[c + 2] if kind(r, c + 1) == "lcel" else x1
                down = y1 + height if kind(r + 1, c) == "ucel" else y1
                if name in ("ched", "fcel"):
                    slack = right - x0 - 2 * pad - font(face(r), self.size).getlength(text)
                    at = x0 + pad + (slack / 2 if align == "center" or right > x1 else 0)
                    boxes = self.line(text, round(at), (y0 + down - height) // 2, face(r), self.size)
                    cells[-1][-1][1] = Span(text, boxes)
                if grid and kind(r, c + 1) != "lcel":
                    self.pen.line((x1, y0, x1, y1), fill=ink)
                if (grid or r == header_rows - 1 or r == len(rows) - 1) and kind(r + 1, c) != "ucel":
                    self.pen.line((x0, y1, x1, y1), fill=ink)
        self.pen.line((edges[0], top, edges[-1], top), fill=ink)
        if grid:
            self.pen.line((edges[0], top, edges[0], top + height * len(rows)), fill=ink)
        self.y = top + height * len(rows)
        return Element("otsl", cells=cells, box=(edges[0], top, edges[-1], top + height * len(rows)))

    # The page

    def fill(self):
        rng, foot = self.rng, None
        small, align = round(self.size * 0.9), str(rng.choice(["left", "center", "right"]))
        gap = SLOT
        add = lambda element: element and self.elements.append(element)
        if rng.random() < 0.25:
            self.y = SIDE - self.pitch
            foot = self.words("page_footer", compose.footer(rng), size=small, align=align)
            self.bottom = SIDE - self.pitch
        self.y = int(rng.integers(0, 2)) * SLOT
        if rng.random() < 0.25:
            add(self.words("page_header", compose.running_head(rng), size=small, align=align))
            if rng.random() < 0.5:
                self.pen.line((self.left, self.y, self.right, self.y), fill=self.ink)
            self.y += gap
        if rng.random() < 0.35:
            add(self.words("title", compose.title(rng), self.bold, round(self.size * rng.uniform(1.15, 1.25)),
                           str(rng.choice(["left", "center"]))))
            self.y += gap
        kinds, missed, last = ["text", "section_header_level_1", "list", "table", "code", "formula"], 0, ""
        while missed < 4 and self.y < self.bottom - self.pitch:
            kind = str(rng.choice(kinds, p=[0.34, 0.18, 0.16, 0.18, 0.08, 0.06]))
            if kind == last and kind != "text":
                continue
            make = {"text": lambda: self.words("text", compose.paragraph(rng)),
                    "section_header_level_1": lambda: self.words(kind, compose.heading(rng), self.bold, round(self.size * 1.08)),
                    "list": lambda: self.list(rng.random() < 0.5), "table": self.table, "code": self.code,
                    "formula": self.formula}[kind]
            element = make()
            missed += element is None
            if element:
                add(element)
                last = kind
                self.y += gap
        add(foot)
        return self
