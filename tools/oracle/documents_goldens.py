# Pages of DocTags with every element, and the Markdown that docling-core makes of them.
# In: nothing. Out: pages.json, rows of [DocTags, Markdown]; tools/oracle/documents_pages.py has the pages.
# Usage: python tools/oracle/documents_goldens.py -o tests/data/documents        (docling-core 2.104.0)

import argparse
import importlib.metadata
import json
import pathlib
import warnings

from documents_pages import docling_markdown, make_page

PAGES = 300


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    if importlib.metadata.version("docling-core") != "2.104.0":
        parser.error("docling-core must be 2.104.0")
    texts = [make_page(seed, damaged=False)[0] for seed in range(PAGES)]
    lines = ",\n ".join(json.dumps([text, docling_markdown(text)], ensure_ascii=False) for text in texts)
    (output / "pages.json").write_text(f"[{lines}]\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
