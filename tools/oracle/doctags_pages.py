# What docling-core reads in pages of DocTags that the machine allowed. In: a file of pages, one a line in hexadecimal
# digits, which the test DocTagsWalk.NeverComesToADeadEnd writes where GALAGO_DOCTAGS_PAGES names it. Out: counts, and
# the pages that docling-core does not read, or whose boxes or tables it reads as something else than was written.
# Usage: GALAGO_DOCTAGS_PAGES=pages.txt build/unit_structured --gtest_filter='DocTagsWalk.Never*'
#        python tools/oracle/doctags_pages.py pages.txt        (docling-core 2.104.0)

import argparse
import collections
import pathlib
import re
import sys

from docling_core.types.doc import DocItemLabel
from docling_core.types.doc.document import DoclingDocument, DocTagsDocument

CELLS = ("fcel", "ched", "rhed", "srow", "ecel", "lcel", "ucel", "xcel")
OWN = CELLS[:5]
TAG = re.compile(r"<(/?)(%s)>" % "|".join(
    [*(label.value for label in DocItemLabel if label != DocItemLabel.FORM), "section_header_level_[0-6]", "paragraph", "references?", "smiles", "inline",
     "otsl", "ordered_list", "unordered_list", "handwritten_text"]))
# Some cells the reader does not read as they are written. In one without words it takes the next tag for its words;
# in one with an element, or with a "<" among its words, it misses what follows.
WITHOUT_WORDS = re.compile(r"<(?:%s)>(?:<loc_[0-9]+>)*\s*<(?!/|[^>]*$)" % "|".join(CELLS[:4]))


def is_plain(table):
    """Whether its cells hold words alone."""
    rest = re.sub(r"<caption>.*?</caption>|<loc_[0-9]+>|<(?:nl|%s)>" % "|".join(CELLS), "", table, flags=re.DOTALL)
    return "<" not in rest and not WITHOUT_WORDS.search(table)


def tables(page):
    """The tables on the page itself, or in a form: the reader finds no others."""
    depth, begin = 0, 0
    for tag in TAG.finditer(page):
        if not tag.group(1):
            depth += 1
            begin = tag.end() if depth == 1 else begin
        else:
            depth -= 1
            if depth == 0 and tag.group(2) == "otsl":
                yield page[begin : tag.start()]


def rows(table):
    """The cells of a table as written: a list of rows of names."""
    found = [[]]
    for name in re.findall(r"<(nl|%s)>" % "|".join(CELLS), table):
        found.append([]) if name == "nl" else found[-1].append(name)
    return found[:-1]


def faults(page, document):
    """What is not as it was written."""
    texts = list(tables(page))
    if len(texts) != len(document.tables):
        yield f"{len(texts)} tables written, {len(document.tables)} read"
        return
    for text, table in zip(texts, document.tables):
        written = rows(text)
        if not is_plain(text):
            continue
        if len({len(row) for row in written}) != 1:
            yield "rows of different widths"
        if (table.data.num_rows, table.data.num_cols) != (len(written), len(written[0])):
            yield f"a table of {len(written)}x{len(written[0])} is read as {table.data.num_rows}x{table.data.num_cols}"
        cells = sum(name in OWN for row in written for name in row)
        if cells != len(table.data.table_cells):
            yield f"{cells} cells are read as {len(table.data.table_cells)}"
        area = sum(cell.row_span * cell.col_span for cell in table.data.table_cells)
        if area != len(written) * len(written[0]):
            yield f"spans cover {area} of {len(written) * len(written[0])} places"
    for item, _ in document.iterate_items():
        for place in getattr(item, "prov", []):
            if not (place.bbox.l < place.bbox.r and place.bbox.t < place.bbox.b):
                yield f"a box {place.bbox}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", type=pathlib.Path)
    pages = [bytes.fromhex(line) for line in parser.parse_args().pages.read_text().splitlines()]
    counts = collections.Counter()
    for number, page in enumerate(pages):
        text = page.decode("utf-8", errors="replace")
        try:
            document = DoclingDocument.load_from_doctags(DocTagsDocument.from_doctags_and_image_pairs([text], None))
            found = list(faults(text, document))
            counts["tables"] += len(document.tables)
            counts["tables whose cells hold words alone"] += sum(is_plain(table) for table in tables(text))
            counts["pictures"] += len(document.pictures)
            counts["texts"] += len(document.texts)
        except Exception as error:  # whatever the reader throws is what is looked for
            found = [f"{type(error).__name__}: {error}"]
        counts["faulty" if found else "as written"] += 1
        for fault in found[:1]:
            counts[re.sub(r"\d+", "N", fault)[:90]] += 1
            print(number, fault, text[:300].encode("unicode_escape").decode(), sep="\t", file=sys.stderr)
    for name, count in counts.most_common():
        print(f"{count:7} {name}")


if __name__ == "__main__":
    main()
