# Pages in DocTags as docling-core writes them: headings, lists, tables with spans, pictures, charts, code, formulas,
# words with others in them, keys and values, several pages. In: nothing. Out: doctags.json, rows of [name, text],
# each minified and as it is for human eyes.
# Usage: python tools/oracle/doctags_goldens.py -o tests/data/text        (docling-core 2.104.0)

import argparse
import importlib.metadata
import json
import pathlib
import warnings

from docling_core.transforms.serializer.doctags import DocTagsDocSerializer, DocTagsParams
from docling_core.types.doc import (
    BoundingBox, CodeLanguageLabel, CoordOrigin, DocItemLabel, DoclingDocument, GraphCell, GraphCellLabel, GraphData,
    GraphLink, GraphLinkLabel, PictureClassificationClass, PictureClassificationData, PictureMoleculeData,
    PictureTabularChartData, ProvenanceItem, Size, TableCell, TableData,
)

VERSION = "2.104.0"


def new():
    document = DoclingDocument(name="page")
    for page in (1, 2, 3):
        document.add_page(page_no=page, size=Size(width=1000, height=1000))
    return document


def place(left=100, top=100, right=900, bottom=160, page=1):
    box = BoundingBox(l=left, t=top, r=right, b=bottom, coord_origin=CoordOrigin.TOPLEFT)
    return ProvenanceItem(page_no=page, bbox=box, charspan=(0, 0))


def grid(rows, cells):
    """cells: [(row, column, text, row span, column span, settings)]."""
    width = max(column + across for _, column, _, _, across, _ in cells)
    return TableData(num_rows=rows, num_cols=width, table_cells=[
        TableCell(text=text, row_span=down, col_span=across, start_row_offset_idx=row, end_row_offset_idx=row + down,
                  start_col_offset_idx=column, end_col_offset_idx=column + across, **settings)
        for row, column, text, down, across, settings in cells])


def plain(texts, header=True):
    return grid(len(texts), [(r, c, text, 1, 1, {"column_header": header and r == 0})
                             for r, row in enumerate(texts) for c, text in enumerate(row)])


def text_page(document):
    document.add_text(DocItemLabel.PAGE_HEADER, "Annual report", prov=place(10, 5, 200, 20))
    document.add_title("A title & more", prov=place())
    for level in range(1, 7):
        document.add_heading(f"Heading {level}", level=level, prov=place(top=100 * level, bottom=100 * level + 30))
    document.add_text(DocItemLabel.TEXT, "Words: 5 < 6 > 4, <b>bold</b>.", prov=place())
    document.add_text(DocItemLabel.TEXT, "No place")
    document.add_text(DocItemLabel.FOOTNOTE, "1 A note", prov=place())
    document.add_text(DocItemLabel.CHECKBOX_SELECTED, "Yes", prov=place(left=1))
    document.add_text(DocItemLabel.CHECKBOX_UNSELECTED, "No", prov=place(left=2))
    document.add_text(DocItemLabel.PARAGRAPH, "A paragraph", prov=place())
    document.add_text(DocItemLabel.REFERENCE, "[1] Somebody", prov=place())
    document.add_text(DocItemLabel.HANDWRITTEN_TEXT, "by hand", prov=place())
    document.add_text(DocItemLabel.PAGE_FOOTER, "7", prov=place(500, 980, 510, 995))


def lists(document):
    items = document.add_list_group()
    document.add_list_item("One", parent=items, prov=place())
    second = document.add_list_item("Two", parent=items, prov=place())
    inner = document.add_list_group(parent=second)
    document.add_list_item("Two, first", parent=inner, enumerated=True, marker="1.", prov=place())
    document.add_list_item("Two, second", parent=inner, enumerated=True, marker="2.")
    beside = document.add_list_group(parent=items)
    document.add_list_item("In a list of a list", parent=beside)
    document.add_list_group()


def tables(document):
    caption = document.add_text(DocItemLabel.CAPTION, "Table 1: numbers", prov=place())
    document.add_table(plain([["a", "b", "c"], ["1", "", "3"]]), caption=caption, prov=place())
    document.add_table(plain([["1"]], header=False))
    document.add_table(grid(4, [
        (0, 0, "wide", 1, 2, {"column_header": True}), (0, 2, "tall", 2, 1, {"column_header": True}),
        (1, 0, "row", 1, 1, {"row_header": True}), (1, 1, "1", 1, 1, {}),
        (2, 0, "both", 2, 2, {}), (2, 2, "2", 1, 1, {}), (3, 2, "", 1, 1, {}),
    ]), prov=place())
    document.add_table(grid(3, [
        (0, 0, "x", 3, 1, {}), (0, 1, "y", 1, 3, {}), (1, 1, "z", 2, 2, {}), (1, 3, "1", 1, 1, {}), (2, 3, "2", 1, 1, {}),
    ]), prov=place())


def section_rows(document):
    document.add_table(grid(2, [(0, 0, "Section", 1, 2, {"row_section": True}), (1, 0, "1", 1, 1, {}), (1, 1, "2", 1, 1, {})]),
                       prov=place())


def pictures(document):
    caption = document.add_text(DocItemLabel.CAPTION, "Figure 1", prov=place())
    document.add_picture(caption=caption, prov=place())
    document.add_picture(prov=place(), annotations=[
        PictureClassificationData(provenance="test", predicted_classes=[PictureClassificationClass(class_name="logo", confidence=1)])])
    document.add_picture(prov=place(), annotations=[
        PictureMoleculeData(smi="CC(=O)O", confidence=1, class_name="acid", provenance="test", segmentation=[])])


def charts(document):
    caption = document.add_text(DocItemLabel.CAPTION, "Figure 2", prov=place())
    for kind in ("bar_chart", "line_chart", "other"):
        document.add_picture(caption=caption if kind == "bar_chart" else None, prov=place(), annotations=[
            PictureClassificationData(provenance="test", predicted_classes=[PictureClassificationClass(class_name=kind, confidence=1)]),
            PictureTabularChartData(title="x", chart_data=plain([["year", "number"], ["1999", "5"]]))])


def code(document):
    document.add_code("def f(x):\n    return x < 5\n", code_language=CodeLanguageLabel.PYTHON, prov=place())
    document.add_code("std::vector<_Tp_> x;", code_language=CodeLanguageLabel.C_PLUS_PLUS, prov=place())
    document.add_formula("\\frac{a}{b} < 5", prov=place())


def inline(document):
    group = document.add_inline_group()
    document.add_text(DocItemLabel.TEXT, "Words with ", parent=group, prov=place())
    document.add_formula("x^2", parent=group, prov=place())
    document.add_code("f()", parent=group, prov=place())
    outer = document.add_text(DocItemLabel.TEXT, "", prov=place())
    inner = document.add_inline_group(parent=outer)
    document.add_text(DocItemLabel.TEXT, "in a text", parent=inner)
    document.add_formula("y", parent=inner)


def key_values(document):
    document.add_key_values(GraphData(
        cells=[GraphCell(label=GraphCellLabel.KEY, cell_id=0, text="Name", orig="Name", prov=place()),
               GraphCell(label=GraphCellLabel.VALUE, cell_id=1, text="Ada", orig="Ada", prov=place())],
        links=[GraphLink(label=GraphLinkLabel.TO_VALUE, source_cell_id=0, target_cell_id=1)]), prov=place())


def several(document):
    for page in (1, 2, 3):
        document.add_text(DocItemLabel.TEXT, f"On page {page}", prov=place(page=page))


def empty(document):
    pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    if importlib.metadata.version("docling-core") != VERSION:
        parser.error(f"docling-core must be {VERSION}")
    rows = []
    for make in (text_page, lists, tables, section_rows, pictures, charts, code, inline, key_values, several, empty):
        document = new()
        make(document)
        for mode in DocTagsParams.Mode:
            text = DocTagsDocSerializer(doc=document, params=DocTagsParams(mode=mode)).serialize().text
            rows.append([f"{make.__name__} {mode.value}", text])
    lines = ",\n ".join(json.dumps(row) for row in rows)
    (output / "doctags.json").write_text(f"[{lines}]\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
