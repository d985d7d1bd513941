"""A PDF whose pages are all different, for tests of what reads them."""

import random

import pypdfium2
from pypdfium2 import raw


def _box(page, x, y, width, height, colour):
    item = raw.FPDFPageObj_CreateNewRect(x, y, width, height)
    raw.FPDFPageObj_SetFillColor(item, *colour, 255)
    raw.FPDFPath_SetDrawMode(item, raw.FPDF_FILLMODE_ALTERNATE, 0)
    raw.FPDFPage_InsertObject(page, item)


def write_pages(path, count, width=300, height=400):
    """Writes a PDF of so many pages of boxes, each with places and colours of its own; points. No letters: a font that the
    file does not bring along is drawn with what the machine has."""
    pdf = pypdfium2.PdfDocument.new()
    for number in range(1, count + 1):
        chance = random.Random(number + 200)
        page = pdf.new_page(width, height)
        for _ in range(6):
            x, y = chance.uniform(0, width - 60), chance.uniform(0, height - 60)
            colour = [chance.randrange(256) for _ in range(3)]
            _box(page, x, y, chance.uniform(60, width - x), chance.uniform(60, height - y), colour)
        page.gen_content()
    pdf.save(path)
