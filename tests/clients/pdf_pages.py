"""A PDF whose pages are all different, for tests of what reads them."""

import ctypes

import pypdfium2
from pypdfium2 import raw


def _write(pdf, page, text, size, x, y):
    item = raw.FPDFPageObj_NewTextObj(pdf, b"Helvetica", size)
    letters = ctypes.create_string_buffer((text + "\0").encode("utf-16-le"))
    raw.FPDFText_SetText(item, ctypes.cast(letters, raw.FPDF_WIDESTRING))
    raw.FPDFPageObj_Transform(item, 1, 0, 0, 1, x, y)
    raw.FPDFPage_InsertObject(page, item)


def write_pages(path, count, width=300, height=400):
    """Writes a PDF of so many pages, each with its own number in large print and lines that grow with it; points."""
    pdf = pypdfium2.PdfDocument.new()
    for number in range(1, count + 1):
        page = pdf.new_page(width, height)
        _write(pdf, page, str(number), 150, 20, height - 150)
        for line in range(number % 8 + 1):
            _write(pdf, page, "words " * (1 + number % 5), 12, 20, height - 180 - 20 * line)
        page.gen_content()
    pdf.save(path)
