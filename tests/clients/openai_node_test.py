"""OpenAI's client for Node, unchanged: openai_node.mjs has the calls.

The package comes from npm, once, into a folder beside the venv, or from GALAGO_OPENAI_NODE (its index.mjs); where neither
is to be had the test is skipped.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from client_test_support import DEMO, KEY, ClientTest

PACKAGE = "openai@7.5.0"
SCRIPT = pathlib.Path(__file__).with_name("openai_node.mjs")
FOLDER = pathlib.Path(sys.prefix).with_name("node-clients")
PATIENCE = 120  # seconds


def package():
    """Where the package's module is, installed when it is not there; SkipTest where that fails."""
    if "GALAGO_OPENAI_NODE" in os.environ:
        return os.environ["GALAGO_OPENAI_NODE"]
    if not shutil.which("node") or not shutil.which("npm"):
        raise unittest.SkipTest("there is no Node")
    module = FOLDER / "node_modules" / "openai" / "index.mjs"
    if not module.exists():
        command = ["npm", "install", "--prefix", FOLDER, "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=10000"]
        done = subprocess.run([*command, PACKAGE], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise unittest.SkipTest(f"npm cannot install {PACKAGE}")
    return str(module)


class OpenaiForNode(ClientTest):
    def test_every_call(self):
        module = package()
        picture = DEMO / "pictures" / "shapes.png"
        command = ["node", SCRIPT, self.server.address, KEY, "demo", "siglip", picture, module]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreaterEqual(done.stdout.count("ok      "), 11)


if __name__ == "__main__":
    unittest.main()
