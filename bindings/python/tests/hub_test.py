"""Models out of the hub, from a fake one."""

import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import galago
from support import MODELS, QUESTION, ROOT, TINY

sys.path.insert(0, str(ROOT / "tests" / "hub"))
from fake_hub import FakeHub, Repository  # noqa: E402


class Hub(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name) / "hub"
        self.tiny = Repository.of(TINY, {"README.md": b"# tiny"})
        self.hub = FakeHub({"org/tiny": self.tiny, "org/siglip": Repository.of(MODELS / "siglip")})
        self.hub.__enter__()
        self.addCleanup(self.hub.__exit__)
        strange = [name for name in os.environ if name.startswith(("HF_", "HUGGING", "TRANSFORMERS_", "XDG_CACHE_HOME"))]
        environment = {"HF_HUB_CACHE": str(self.cache), "HF_HOME": folder.name, "HF_ENDPOINT": self.hub.address, "NO_PROXY": "*"}
        patched = mock.patch.dict(os.environ, environment)
        patched.start()
        self.addCleanup(patched.stop)
        for name in strange:
            os.environ.pop(name) if name not in environment else None

    def test_pull(self):
        path = galago.pull("org/tiny")
        self.assertEqual(path, self.cache / "models--org--tiny" / "snapshots" / self.tiny.commit)
        self.assertFalse((path / "README.md").exists())
        self.assertTrue((galago.pull("org/tiny", all_files=True, progress=True) / "README.md").exists())
        with galago.Model(path) as model:
            self.assertEqual(len(model.chat(QUESTION, max_tokens=3).tokens), 3)

    def test_a_model_by_its_name(self):
        with galago.Model("org/tiny") as model, galago.Model(TINY) as here:
            self.assertEqual(model.chat(QUESTION, max_tokens=3), here.chat(QUESTION, max_tokens=3))
        asked = len(self.hub.requests)
        galago.Model("org/tiny").close()
        self.assertEqual(len(self.hub.requests), asked)
        self.assertEqual(galago.Embedder("org/siglip").embed_texts(["a"]).shape[0], 1)

    def test_elsewhere(self):
        with tempfile.TemporaryDirectory() as folder:
            path = galago.pull("org/tiny", cache=folder, include=["config.json"], revision="main", workers=1, token="")
            self.assertEqual([file.name for file in path.iterdir()], ["config.json"])
            self.assertTrue(str(path).startswith(folder))

    def test_one_pattern_is_no_list_of_letters(self):
        path = galago.pull("org/tiny", include="config.json")
        self.assertEqual([file.name for file in path.iterdir()], ["config.json"])

    def test_refused(self):
        for use, kind in (
            (lambda: galago.pull("org/none"), (galago.NotFoundError, galago.AuthError)),
            (lambda: galago.pull("no name"), galago.UsageError),
            (lambda: galago.pull("org/tiny", offline=True), galago.NotFoundError),
            (lambda: galago.pull("org/tiny", workers=17), galago.UsageError),
            (lambda: galago.pull("\ud800"), galago.InputError),
            (lambda: galago.pull("org/tiny", endpoint="http://127.0.0.1:1"), galago.UnavailableError),
        ):
            with self.assertRaises(kind):
                use()


if __name__ == "__main__":
    unittest.main()
