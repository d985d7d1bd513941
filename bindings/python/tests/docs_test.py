"""The code of docs/python.md, docs/scale-out.md and README.md, and the examples, as they stand."""

import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import re
import socket
import subprocess
import sys
import time
import unittest

from support import CAT, ROOT


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
