# Pages of DocTags and of DocLang with every element, and the Markdown that docling-core makes of them.
# In: nothing. Out: pages.json, rows of [DocTags, Markdown], and doclang.json, rows of [DocLang, Markdown]: the same pages
# as docling-core writes them, half of them laid out in lines, as far as its own reader brings the same Markdown again.
# tools/oracle/documents_pages.py has the pages.
# Usage: python tools/oracle/documents_goldens.py -o tests/data/documents        (docling-core 2.104.0)

import argparse
import importlib.metadata
import json
import pathlib
import warnings

from documents_pages import doclang_markdown, docling_markdown, make_page, to_doclang

PAGES = 300
DOCLANG_PAGES = 100


def write(path, rows):
    lines = ",\n ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[{lines}]\n", encoding="utf-8")


def doclang_rows(texts):
    for number, text in enumerate(texts):
        doclang = to_doclang(text, lines=number % 2 == 1)
        markdown = docling_markdown(text)
        if doclang_markdown(doclang) == markdown:
            yield [doclang, markdown]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    if importlib.metadata.version("docling-core") != "2.104.0":
        parser.error("docling-core must be 2.104.0")
    texts = [make_page(seed, damaged=False)[0] for seed in range(PAGES)]
    write(output / "pages.json", [[text, docling_markdown(text)] for text in texts])
    write(output / "doclang.json", list(doclang_rows(texts))[:DOCLANG_PAGES])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
