# bench/peers/setup.sh: what it says of its steps, and that a failing one ends it. Nothing is fetched here.

import os
import pathlib
import subprocess
import tempfile
import unittest

SETUP = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers" / "setup.sh"


class Setup(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.cache = self.folder / "cache"

    def program(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def setup_peers(self, *arguments):
        environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        done = subprocess.run([SETUP, *arguments], capture_output=True, text=True, env=environment, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def test_a_step_that_fails_is_named_with_what_it_said_and_ends_the_call(self):
        self.program(self.folder / "bin" / "python3", "echo no room on the disk; exit 3")
        code, output = self.setup_peers(self.cache)
        self.assertEqual(code, 3)
        self.assertIn("setup.sh: step 1 of 8, reference\n", output)
        self.assertIn("reference failed after", output)
        self.assertIn("no room on the disk", output)
        self.assertNotIn("step 2", output)
        self.assertEqual(list(self.cache.glob("done/*")), [])

    def test_steps_that_are_done_stay_done(self):
        self.program(self.cache / "venv" / "bin" / "python", "echo llama-cpp-python 1 $PYTHONPATH")
        self.program(self.cache / "venv" / "bin" / "pip", "echo 'torch 2.13.0'")
        (self.cache / "done").mkdir()
        for name in ("reference", "onnxruntime", "openvino", "llama-source", "llama-avx2"):
            (self.cache / "done" / name).write_text("")
        code, output = self.setup_peers(self.cache, "--sets", "avx2", "--no-server")
        self.assertEqual(code, 0, output)
        self.assertIn("step 5 of 6, llama-avx2: done before", output)
        self.assertIn("torch 2.13.0", output)
        self.assertIn("/cache/llama-avx2/python", output)

    def test_openvino_alone_may_be_missing(self):
        self.program(self.cache / "venv" / "bin" / "python", "true")
        self.program(self.cache / "venv" / "bin" / "pip", 'case "$*" in *openvino*) echo not here; exit 1;; esac')
        (self.cache / "done").mkdir()
        for name in ("reference", "onnxruntime", "llama-source", "llama-native", "llama-avx2", "llama-server"):
            (self.cache / "done" / name).write_text("")
        code, output = self.setup_peers(self.cache)
        self.assertIn("openvino failed", output)
        self.assertIn("the comparison goes on without them", output)
        self.assertIn("step 8 of 8, versions", output)

    def test_what_it_does_not_know_is_refused(self):
        self.assertEqual(self.setup_peers()[0], 64)
        self.assertEqual(self.setup_peers(self.cache, "--sets", "sse9")[0], 64)
        self.assertFalse(self.cache.exists())


if __name__ == "__main__":
    unittest.main()
