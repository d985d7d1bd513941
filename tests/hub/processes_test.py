"""Several processes that pull the same at once."""

import hashlib
import unittest

from fake_hub import Fault, Repository
from hub_test_support import BIG, HubTest, huggingface_hub


class Processes(HubTest):
    def setUp(self):
        super().setUp()
        self.big = Repository({"config.json": b"{}", "tokenizer.json": b"[]", "model.safetensors": BIG})
        self.add("org/big", self.big)

    def finish(self, children):
        for child in children:
            out, err = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 0, err)
            self.assertIn(self.big.commit, out)

    def check_once(self):
        for path in self.big.files:
            self.assertEqual(self.hub.count(f"GET /org/big/resolve/.*/{path}"), 1, path)
        self.assertEqual(self.hub.count("GET /cdn/"), 1)
        self.check_whole("org/big", self.big, self.repository_folder("org/big") / "snapshots" / self.big.commit)

    def test_each_blob_is_downloaded_once(self):
        self.hub.faults.append(Fault("GET /cdn/", drip=(1 << 18, 0.05)))
        self.finish([self.start("pull", "org/big") for _ in range(4)])
        self.check_once()

    def test_one_that_is_killed_hands_over(self):
        self.hub.faults.append(Fault("GET /cdn/", drip=(1 << 18, 0.1)))
        first = self.start("pull", "org/big")
        self.assertTrue(self.hub.wait_for("GET /cdn/"))
        second = self.start("pull", "org/big")
        partial = self.repository_folder("org/big") / "blobs" / (hashlib.sha256(BIG).hexdigest() + ".incomplete")
        while not (partial.exists() and partial.stat().st_size > 1 << 18):
            pass
        first.kill()
        first.communicate()
        self.finish([second])
        self.assertEqual(self.hub.count("GET /cdn/"), 2)
        self.assertTrue([r for r in self.hub.requests if "/cdn/" in r.path and "Range" in r.headers])

    def test_beside_huggingface_hub(self):
        if huggingface_hub is None:
            self.skipTest("huggingface_hub is not installed")
        import subprocess, sys  # noqa: E401

        self.hub.faults.append(Fault("GET /cdn/", drip=(1 << 18, 0.05), times=2))
        source = "from huggingface_hub import snapshot_download as s; print(s('org/big'))"
        environment = self.environment | {"HF_HUB_DISABLE_XET": "1"}
        other = subprocess.Popen([sys.executable, "-c", source], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.finish([self.start("pull", "org/big"), other])
        self.check_once()


if __name__ == "__main__":
    unittest.main()
