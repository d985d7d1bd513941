"""The code of docs/python.md and README.md, and the examples, as they stand."""

import re
import unittest

from support import ROOT


def blocks(page):
    """-> [(line, code)] of a page's blocks of Python."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, match.start(1)), match.group(1)) for match in found]


class Pages(unittest.TestCase):
    def run_page(self, page, wanted=""):
        names = {"__name__": "__main__"}
        chosen = [(line, code) for line, code in blocks(page) if wanted in code]
        self.assertTrue(chosen)
        for line, code in chosen:
            exec(compile("\n" * line + code, str(ROOT / page), "exec"), names)

    def test_python(self):
        self.run_page("docs/python.md")

    def test_readme(self):
        self.run_page("README.md", "import galago")


if __name__ == "__main__":
    unittest.main()
