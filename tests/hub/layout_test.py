"""The cache, with huggingface_hub 2.4 as the judge of what it looks like."""

import unittest

from hub_test_support import HubTest

SCAN = """
from huggingface_hub import scan_cache_dir
cache = scan_cache_dir()
assert not cache.warnings, cache.warnings
for repo in cache.repos:
    for revision in repo.revisions:
        print(repo.repo_id, revision.commit_hash, *sorted(revision.refs), revision.nb_files)
"""
OFFLINE = "from huggingface_hub import snapshot_download as s; print(s('org/tiny', local_files_only=True))"
ONLINE = "from huggingface_hub import snapshot_download as s; print(s('org/tiny', {}))"
NO_XET = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


class Layout(HubTest):
    def tree(self):
        """Every name below the cache with what it is; lock files and names by chance left out."""
        entries = {}
        for path in sorted(self.cache.rglob("*")):
            name = str(path.relative_to(self.cache))
            if name.startswith(".locks"):
                continue
            entries[name] = f"-> {path.readlink()}" if path.is_symlink() else "/" if path.is_dir() else path.read_bytes()
        return entries

    def test_huggingface_hub_finds_what_galago_pulled(self):
        model = self.pull("org/tiny")
        self.hub.requests.clear()
        self.assertEqual(self.python(OFFLINE), model)
        self.assertEqual(self.python(SCAN), f"org/tiny {self.tiny.commit} main 9")
        load = "from huggingface_hub import try_to_load_from_cache as t; print(t('org/tiny', 'model.safetensors'))"
        self.assertEqual(self.python(load), model + "/model.safetensors")
        self.assertEqual(self.hub.requests, [])

    def test_galago_loads_what_huggingface_hub_wrote(self):
        snapshot = self.python(ONLINE.format(""), **NO_XET)
        self.hub.requests.clear()
        done = self.galago("run", "-m", "org/tiny", "-n", "2", "-p", "x", "--json")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(self.hub.requests, [])
        self.assertEqual(self.pull("org/tiny"), snapshot)
        self.assertEqual(self.hub.count("/resolve/|/cdn/"), 0)

    def test_both_write_the_same(self):
        self.pull("org/tiny", "--all")
        ours = self.tree()
        self.cache.rename(self.folder / "ours")
        self.python(ONLINE.format(""), **NO_XET)
        theirs = self.tree()
        self.assertEqual(sorted(ours), sorted(theirs))
        for name, content in theirs.items():
            self.assertEqual(ours[name], content, name)

    def test_each_completes_what_the_other_began(self):
        self.python(ONLINE.format("allow_patterns=['*.json']"), **NO_XET)
        model = self.pull("org/tiny")
        self.assertEqual(self.hub.count("GET .*/tokenizer.json"), 1)
        self.assertEqual(self.python(ONLINE.format(""), **NO_XET), model)
        self.assertEqual(self.hub.count("GET /cdn/"), 2, "weights and the pickle, each once")
        self.python(SCAN)

    def test_a_missing_file_is_noted_as_huggingface_hub_does(self):
        ask = """
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
try: hf_hub_download('org/tiny', 'none.json')
except EntryNotFoundError: print('none')
"""
        self.assertEqual(self.python(ask, **NO_XET), "none")
        self.pull("org/tiny")
        self.python(SCAN)

    def test_the_same_lock_is_taken(self):
        hold = """
import sys, time
from filelock import FileLock
from huggingface_hub import constants
import pathlib
lock = pathlib.Path(sys.argv[1]); lock.parent.mkdir(parents=True)
with FileLock(lock): print('held', flush=True); time.sleep(2)
"""
        import hashlib, subprocess, sys, time  # noqa: E401

        self.python("pass")
        sha = hashlib.sha256(self.tiny.files["model.safetensors"]).hexdigest()
        lock = self.cache / ".locks/models--org--tiny" / f"{sha}.lock"
        holder = subprocess.Popen([sys.executable, "-c", hold, lock], stdout=subprocess.PIPE, env=self.environment)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.stdout.close)
        self.assertEqual(holder.stdout.readline(), b"held\n")
        begin = time.monotonic()
        self.pull("org/tiny")
        self.assertGreater(time.monotonic() - begin, 1)


if __name__ == "__main__":
    unittest.main()
