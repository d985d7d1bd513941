"""Help for tests with strangers' clients: one `galago serve` for all of them, its address, and what it logged.

In: GALAGO_PROGRAM in the environment (run.py sets it). Out: Server, which is started once and stopped at the end.
"""

import atexit
import base64
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "models" / "demo"
DATA = ROOT / "tests" / "data"
KEY = "sk-of-the-test"
MODELS = {"demo": DEMO, "siglip": DATA / "models" / "siglip", "docling": DATA / "models" / "docling"}
LOADING = 60  # seconds


class Server:
    """`galago serve` on a free port of 127.0.0.1, with a key; its log is kept."""

    def __init__(self, *flags, models=MODELS):
        command = [os.environ["GALAGO_PROGRAM"], "serve", "--port", "0", "--api-key", KEY, "--log-json", *flags]
        for name, path in models.items():
            command += ["-m", str(path), "--alias", name]
        self._lines = []
        self._marks = 0
        self._ready = threading.Event()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        atexit.register(self.stop)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(LOADING):
            raise RuntimeError("galago serve is not ready:\n" + "".join(self._lines))

    def _read(self):
        for line in self.process.stdout:
            self._lines.append(line)
            found = re.search(r"ready: .* at (http://[0-9.:]+)", line)
            if found:
                self.address = found[1]
                self._ready.set()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def requests(self, at_least=0):
        """What was logged of requests, but those that ask for it here. A line is written after its answer, by any of
        the server's threads: so wait for as many as must have come, and then until two looks find the same."""
        deadline = time.monotonic() + LOADING
        records = None
        while time.monotonic() < deadline:
            before, records = records, self._logged()
            if records == before and len(records) >= at_least:
                break
            time.sleep(0.05)
        return records

    def _logged(self):
        """What was logged up to the line of a request made now."""
        self._marks += 1
        mark = f"mark-{self._marks}"
        urllib.request.urlopen(
            urllib.request.Request(self.address + "/health", headers={"X-Request-Id": mark}), timeout=LOADING
        ).close()
        deadline = time.monotonic() + LOADING
        while time.monotonic() < deadline:
            records = [json.loads(line) for line in list(self._lines) if line.startswith("{")]
            if any(record["id"] == mark for record in records):
                return [record for record in records if not record["id"].startswith("mark-")]
            time.sleep(0.01)
        raise RuntimeError("galago serve logged nothing of a request")


_server = None


def server():
    global _server
    if _server is None:
        _server = Server("--media-path", str(DEMO / "pictures"))
    return _server


def picture(name):
    """A picture of the demo model as a data: URI."""
    kind = "png" if name.endswith("png") else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode((DEMO / "pictures" / name).read_bytes()).decode()


def question(name, text):
    """A message about a picture, as OpenAI's chat completions take it."""
    return {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": picture(name)}}, {"type": "text", "text": text}],
    }


class ClientTest(unittest.TestCase):
    """A test that counts what reached the server."""

    def setUp(self):
        self.server = self.which_server()
        self._before = len(self.server.requests())

    def which_server(self):
        return server()

    def requests(self, at_least=1):
        """[(path, status)] since the test began, once there are that many."""
        return [(r["path"], r["status"]) for r in self.server.requests(self._before + at_least)[self._before :]]
