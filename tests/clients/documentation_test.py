"""The Python of docs/server-clients.md and the calls of docs/server.md, as they stand but for address, key and names of models."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from client_test_support import DATA, KEY, ROOT, ClientTest, server


class Documentation(ClientTest):
    def test_programs_run(self):
        page = (ROOT / "docs" / "server-clients.md").read_text()
        programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(programs), 5)
        for program in programs:
            program = program.replace("http://127.0.0.1:8080", server().address).replace('"none"', repr(KEY))
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100
            )
            self.assertEqual(done.returncode, 0, program + done.stderr[-2000:])
            self.assertTrue(done.stdout.strip(), program)

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_calls_answer(self):
        page = (ROOT / "docs" / "server.md").read_text()
        calls = re.findall(r"^curl .*?^END$", page, re.MULTILINE | re.DOTALL)
        routes = {}
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(DATA / "pictures" / "shapes_100x80.png", pathlib.Path(folder, "photo.png"))
            for call in calls:
                route = re.search(r"http://127.0.0.1:8080(/\S+)", call)[1]
                call = call.replace("http://127.0.0.1:8080", server().address).replace("google/siglip-base-patch16-224", "siglip")
                call = call.replace("curl ", f"curl -sS -H 'Authorization: Bearer {KEY}' ", 1)
                done = subprocess.run(["bash", "-c", call], cwd=folder, capture_output=True, text=True, timeout=100)
                self.assertEqual(done.returncode, 0, call + done.stderr)
                routes[route] = json.loads(done.stdout)
        self.assertTrue(routes["/v1/chat/completions"]["choices"][0]["message"]["content"])
        self.assertEqual([len(one["embedding"]) for one in routes["/v1/embeddings"]["data"]][1:], [len(routes["/v1/embeddings"]["data"][0]["embedding"])])
        self.assertIn(routes["/v1/classify"]["data"][0]["label"], ("a cat", "a dog"))
        self.assertEqual(len(routes), 3)


if __name__ == "__main__":
    unittest.main()
