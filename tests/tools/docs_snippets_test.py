# tools/docs_snippets.py: what it takes out of a page, and what it leaves.

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import docs_snippets

PAGE = """# A page
```cpp
int part = 1;
```
Text.
```cpp
int main() { return 0; }
```
```console
$ galago run  # int main(
```
```cpp
#include <vector>

int main(int argc, char**) { return argc - 1; }
```
"""


class DocsSnippets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.page = self.root / "Page.md"
        self.output = self.root / "out"
        self.page.write_text(PAGE)

    def test_complete_programs_only(self):
        self.assertEqual([line for line, _ in docs_snippets.programs(PAGE)], [7, 13])

    def test_files_name_page_number_and_line(self):
        written = docs_snippets.extract([self.page], self.output)
        self.assertEqual([path.name for path in written], ["page.1.cc", "page.2.cc"])
        self.assertTrue(written[1].read_text().startswith(f'#line 13 "{self.page.resolve().as_posix()}"\n#include'))

    def test_unchanged_files_are_left_alone_and_stale_ones_removed(self):
        first, second = docs_snippets.extract([self.page], self.output)
        before = first.stat().st_mtime_ns
        self.page.write_text(PAGE.split("```console")[0])
        self.assertEqual(docs_snippets.extract([self.page], self.output), [first])
        self.assertEqual(first.stat().st_mtime_ns, before)
        self.assertFalse(second.exists())


if __name__ == "__main__":
    unittest.main()
