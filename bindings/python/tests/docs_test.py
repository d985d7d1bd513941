"""The code of docs/python.md, docs/scale-out.md and README.md, the commands of docs/batch.md, and the examples, as they stand."""

import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from support import CAT, PROGRAM, ROOT


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

    def test_sizing(self):
        self.run_page("docs/scale-out.md", "def core_seconds")

    def test_notebook(self):
        notebook = json.loads((ROOT / "examples" / "captions.ipynb").read_text(encoding="utf-8"))
        names = {"__name__": "__main__"}
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                self.assertEqual((cell["outputs"], cell["execution_count"]), ([], None), "kept without results")
                exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
        self.assertEqual(names["captions"]["cat.jpg"], "a cat")


def commands(page):
    """-> the commands of a page's indented blocks, a line each."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.startswith("    ") and line.strip()]


class BatchPage(unittest.TestCase):
    """What docs/batch.md says to type, in a folder with photos, one of them broken."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.photos = self.folder / "photos"
        self.photos.mkdir()
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "galago").symlink_to(PROGRAM)
        for picture in CAT.parent.glob("*.jpg"):
            shutil.copy(picture, self.photos)

    def run_line(self, line):
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", line], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stderr

    def records(self, name="answers.jsonl"):
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def line_with(self, *words):
        found = [line for line in commands("docs/batch.md") if all(word in line for word in words)]
        self.assertEqual(len(found), 1, words)
        return found[0]

    def test_first(self):
        line = commands("docs/batch.md")[0]
        self.assertEqual(self.run_line(line)[0], 0)
        self.assertEqual(len(self.records()), len(list(self.photos.iterdir())))
        self.assertEqual({record["id"]: record["text"] for record in self.records()}["photos/cat.jpg"].strip(), "a cat")
        self.assertEqual(self.run_line(line)[0], 64, "its output is there")

    def test_until_it_is_done(self):
        self.assertEqual(self.run_line(self.line_with("until"))[0], 0)
        self.assertEqual(len(self.records()), len(list(self.photos.iterdir())))

    def test_errors_again(self):
        (self.photos / "dog.jpg").write_bytes(b"no picture")
        code, said = self.run_line(self.line_with("--keep-journal", "-o"))
        self.assertEqual(code, 3, said)
        if shutil.which("jq"):
            self.assertEqual(self.run_line(self.line_with("jq"))[0], 0)
        else:
            (self.folder / "again.txt").write_text("".join(f"{record['id']}\n" for record in self.records() if "error" in record))
        shutil.copy(CAT, self.photos / "dog.jpg")
        code, said = self.run_line('galago batch again.txt -p "Is there a dog?" -o rest.jsonl')
        self.assertEqual(code, 0, said)
        self.assertEqual([record["id"] for record in self.records("rest.jsonl")], ["photos/dog.jpg"])
        code, said = self.run_line(self.line_with("--retry-errors", "-o"))
        self.assertEqual(code, 0, said)
        self.assertEqual([record for record in self.records() if "error" in record], [])
        self.assertIn(self.records("rest.jsonl")[0], self.records())


@unittest.skipUnless(importlib.util.find_spec("fastapi"), "no fastapi")
class Server(unittest.TestCase):
    """examples/fastapi_server.py with fifty users at once."""

    @classmethod
    def setUpClass(cls):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "examples"), "fastapi_server:app"]
        command += ["--port", str(cls.port), "--log-level", "warning"]
        process = subprocess.Popen(command, cwd=ROOT)
        cls.addClassCleanup(lambda: (process.terminate(), process.wait(30)))
        for _ in range(600):
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", cls.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", path, body)
        response = connection.getresponse()
        with contextlib.closing(connection):
            return response.status, response.read()

    def test_fifty_users(self):
        cat = CAT.read_bytes()
        with concurrent.futures.ThreadPoolExecutor(50) as users:
            paths = ["/caption", "/stream"] * 25
            answers = list(users.map(lambda path: self.post(path, cat), paths))
        for path, (status, body) in zip(paths, answers):
            self.assertEqual(status, 200, body)
            text = json.loads(body)["text"] if path == "/caption" else body.decode()
            self.assertEqual(text.strip(), "a cat")

    def test_what_is_no_picture(self):
        status, body = self.post("/caption", b"no picture")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (415, "unsupported_media"))


if __name__ == "__main__":
    unittest.main()
