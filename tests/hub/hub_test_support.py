"""Runs galago and huggingface_hub with a cache of their own against a fake hub."""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from fake_hub import FakeHub, Repository

PROGRAM = os.environ.get("GALAGO_PROGRAM", "build/galago")
MODELS = pathlib.Path(__file__).resolve().parent.parent / "data" / "models"
SECONDS = 120
BIG = bytes(range(256)) * (3 << 12)  # 3 MiB, which no one repeats
try:
    import huggingface_hub  # noqa: F401
except ImportError:
    huggingface_hub = None


class HubTest(unittest.TestCase):
    """A hub with org/tiny (settings, tokenizer, weights, and much that nobody needs) and an empty cache."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.cache = self.folder / "hub"
        extra = {"README.md": b"# tiny", "pytorch_model.bin": b"pickled", "onnx/model.onnx": b"onnx", ".gitattributes": b"*"}
        self.tiny = Repository.of(MODELS / "smolvlm_tiles", extra)
        self.hub = FakeHub({"org/tiny": self.tiny})
        self.hub.__enter__()
        self.addCleanup(self.hub.__exit__)
        self.environment = dict(os.environ) | {
            "HF_HUB_CACHE": str(self.cache),
            "HF_HOME": str(self.folder),
            "HF_ENDPOINT": self.hub.address,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
            "HF_HUB_ETAG_TIMEOUT": "2",
        }

    def add(self, name, repository):
        self.hub.repositories[name] = repository
        self.hub.by_sha |= {hashlib.sha256(c).hexdigest(): c for c in repository.files.values()}

    def start(self, *words, cwd=None, **environment):
        return subprocess.Popen(
            [PROGRAM, *map(str, words)],
            cwd=cwd,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def galago(self, *words, cwd=None, **environment):
        child = self.start(*words, cwd=cwd, **environment)
        child.out, child.err = child.communicate(timeout=SECONDS)
        return child

    def pull(self, *words, code=0, **environment):
        """`galago pull`; standard output without its line end, or standard error where it failed."""
        done = self.galago("pull", *words, **environment)
        self.assertEqual(done.returncode, code, done.err)
        return done.out.rstrip("\n") if code == 0 else done.err

    def python(self, source, **environment):
        """What the Python program prints, with huggingface_hub and nothing of galago."""
        if huggingface_hub is None:
            self.skipTest("huggingface_hub is not installed")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def repository_folder(self, name="org/tiny"):
        return self.cache / ("models--" + name.replace("/", "--"))

    def files_in(self, folder):
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())

    def check_whole(self, name, repository, snapshot):
        """Every file of the snapshot is a link to a blob of the right content."""
        for path in self.files_in(snapshot):
            self.assertTrue((snapshot / path).is_symlink(), path)
            self.assertTrue(os.readlink(snapshot / path).startswith("../../"), path)
            self.assertEqual((snapshot / path).read_bytes(), repository.files[path], path)
        for blob in (self.repository_folder(name) / "blobs").iterdir():
            self.assertNotIn("incomplete", blob.name)
