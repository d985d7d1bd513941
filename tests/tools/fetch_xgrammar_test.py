#!/usr/bin/env python3
# tools/fetch_xgrammar.py against package indexes in a folder: what it takes, and what it leaves.

import contextlib
import hashlib
import importlib.util
import io
import pathlib
import sys
import tarfile
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SPEC = importlib.util.spec_from_file_location("fetch_xgrammar", ROOT / "tools/fetch_xgrammar.py")
fetch = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fetch)


def archive(names):
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))
    return body.getvalue()


class Fetch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.body = archive(["x/cpp/a.cc", "x/include/b.h", "x/include/../../c.h", "x/python/d.py", "x/LICENSE"])
        page = self.folder / "xgrammar"
        page.mkdir()
        (page / fetch.FILE).write_bytes(self.body)
        (page / "index.html").write_text(f'<a href="xgrammar-0.1.0.tar.gz">old</a> <a href="{fetch.FILE}#sha256=0">this</a>')
        # A file has no folder's page: the index is asked for its index.html.
        read = fetch.read
        self.read = lambda url, accept="*/*": read(url + "index.html" if url.endswith("/") else url, accept)

    def run_it(self, digest):
        arguments = ["fetch", "--to", str(self.folder / "out"), "--index", self.folder.as_uri()]
        said = io.StringIO()
        with unittest.mock.patch.object(sys, "argv", arguments), unittest.mock.patch.object(fetch, "SHA256", digest):
            with unittest.mock.patch.object(fetch, "read", self.read), contextlib.redirect_stderr(said):
                return fetch.main(), said.getvalue()

    def test_takes_what_is_compiled(self):
        self.assertEqual(self.run_it(hashlib.sha256(self.body).hexdigest()), (0, ""))
        files = {path.relative_to(self.folder / "out").as_posix() for path in (self.folder / "out").rglob("*") if path.is_file()}
        self.assertEqual(files, {"cpp/a.cc", "include/b.h", "LICENSE"})
        self.assertFalse((self.folder / "c.h").exists())

    def test_another_file_is_refused(self):
        code, said = self.run_it("0" * 64)
        self.assertEqual(code, 65)
        self.assertIn("SHA-256", said)
        self.assertFalse((self.folder / "out").exists())

    def test_an_index_without_it(self):
        (self.folder / "xgrammar" / "index.html").write_text('<a href="xgrammar-0.1.0.tar.gz">old</a>')
        code, said = self.run_it("0" * 64)
        self.assertEqual(code, 69)
        self.assertIn(fetch.FILE, said)


if __name__ == "__main__":
    unittest.main()
