#!/usr/bin/env python3
# Takes the complete programs out of the documentation, so that they can be compiled and run as tests.
# In: Markdown files. Out: one PAGE.N.cc in the output folder for the N-th ```cpp block that contains `int main(`
# of PAGE.md; prints the file names, one a line. Files that are no longer in the pages are removed.
# Usage: python3 tools/docs_snippets.py -o FOLDER PAGE.md...

import argparse
import pathlib
import re

BLOCK = re.compile(r"^```cpp[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def programs(text):
    """-> [(line of the first line of code, code)] of the complete programs of one page."""
    found = []
    for match in BLOCK.finditer(text):
        if "int main(" in match.group(1):
            found.append((text.count("\n", 0, match.start(1)) + 1, match.group(1)))
    return found


def extract(pages, output):
    """Writes the programs -> their paths. An unchanged file keeps its time, so that nothing is rebuilt."""
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for page in pages:
        for number, (line, code) in enumerate(programs(page.read_text(encoding="utf-8")), 1):
            path = output / f"{page.stem.lower()}.{number}.cc"
            text = f'#line {line} "{page.resolve().as_posix()}"\n{code}'
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
            written.append(path)
    for path in output.glob("*.cc"):
        if path not in written:
            path.unlink()
    return written


def main():
    parser = argparse.ArgumentParser(description="Extracts the complete C++ programs of Markdown pages.")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("pages", type=pathlib.Path, nargs="*")
    arguments = parser.parse_args()
    for path in extract(arguments.pages, arguments.output):
        print(path.name)


if __name__ == "__main__":
    main()
