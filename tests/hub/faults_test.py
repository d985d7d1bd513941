"""galago pull with connections that are cut, servers that lie, and disks that are full."""

import hashlib
import json
import shutil
import signal
import subprocess
import time
import unittest

from fake_hub import Fault, Repository
from hub_test_support import BIG, HubTest


class Big(HubTest):
    """org/big: one file of 3 MiB in LFS, one that is not, in ten pieces."""

    def setUp(self):
        super().setUp()
        config = json.dumps({"filler": "x" * 100_000}).encode()
        self.big = Repository({"config.json": config, "model.safetensors": BIG, "tokenizer.json": b"{}"})
        self.add("org/big", self.big)
        self.sha = hashlib.sha256(BIG).hexdigest()
        self.blobs = self.repository_folder("org/big") / "blobs"

    def check(self):
        snapshot = self.repository_folder("org/big") / "snapshots" / self.big.commit
        self.check_whole("org/big", self.big, snapshot)
        self.assertEqual(self.files_in(snapshot), sorted(self.big.files))

    def leave_half(self):
        """A pull that was killed in the middle of the large file."""
        self.hub.faults.append(Fault("GET /cdn/", drip=(1 << 18, 0.2)))
        child = self.start("pull", "org/big")
        partial = self.blobs / (self.sha + ".incomplete")
        there = partial.stat().st_size if partial.exists() else 0
        end = time.monotonic() + 30
        while time.monotonic() < end and not (partial.exists() and partial.stat().st_size > there + (1 << 18)):
            time.sleep(0.02)
        return child, partial


class Cuts(Big):
    def test_a_connection_that_is_cut_at_any_stage_is_tried_again(self):
        stages = ["GET /api/.*/revision/", "GET /api/.*/tree/", "HEAD .*model", "GET .*/model.safetensors$", "GET /cdn/", "GET .*/config.json"]
        for stage in stages:
            self.hub.faults += [Fault(stage, drop=True), Fault(stage, cut=7, times=1)]
        self.pull("org/big")
        self.check()
        self.assertFalse([f for f in self.hub.faults if f.times > 0 and not (f.cut >= 0 and f.pattern.startswith("HEAD"))])

    def test_what_has_arrived_is_not_fetched_twice(self):
        self.hub.faults += [Fault("GET /cdn/", cut=1 << 20), Fault("GET /cdn/", cut=1 << 20), Fault("GET .*/config.json", cut=50_000)]
        self.pull("org/big")
        self.check()
        self.assertLessEqual(self.hub.sent("GET /cdn/"), len(BIG))
        self.assertLessEqual(self.hub.sent("GET .*/config.json"), len(self.big.files["config.json"]))
        ranges = [r.headers.get("If-Range") for r in self.hub.requests if "Range" in r.headers and "/cdn/" in r.path]
        self.assertEqual(ranges, [f'"cdn-{self.sha}"'] * 2)

    def test_a_server_without_ranges_sends_all_again(self):
        self.hub.faults += [Fault("GET /cdn/", cut=1 << 20), Fault("GET /cdn/", no_ranges=True)]
        self.pull("org/big")
        self.check()

    def test_a_killed_pull_is_gone_on_with(self):
        child, partial = self.leave_half()
        child.kill()
        child.communicate()
        there = partial.stat().st_size
        self.assertGreater(there, 0)
        self.hub.requests.clear()
        self.pull("org/big")
        self.check()
        self.assertEqual(self.hub.sent("GET /cdn/"), len(BIG) - there)

    def test_an_interrupted_pull_ends_at_once_and_is_gone_on_with(self):
        for sent in (signal.SIGINT, signal.SIGTERM):
            child, partial = self.leave_half()
            begin = time.monotonic()
            child.send_signal(sent)
            out, err = child.communicate(timeout=30)
            self.assertLess(time.monotonic() - begin, 5)
            self.assertEqual((child.returncode, out), (128 + sent, ""), err)
            self.assertTrue(partial.exists())
        self.assertFalse((self.repository_folder("org/big") / "snapshots").exists(), "nothing shows half a model")
        self.hub.faults.clear()
        self.pull("org/big")
        self.check()

    def test_a_damaged_rest_is_thrown_away(self):
        child, partial = self.leave_half()
        child.kill()
        child.communicate()
        with partial.open("r+b") as file:
            file.write(b"damaged")
        self.pull("org/big")
        self.check()

    def test_a_rest_that_is_too_long_is_thrown_away(self):
        self.blobs.mkdir(parents=True)
        (self.blobs / (self.sha + ".incomplete")).write_bytes(BIG + b"more")
        self.pull("org/big")
        self.check()

    def test_a_server_that_says_nothing_is_given_up(self):
        self.hub.faults.append(Fault("GET /cdn/", stall=60, times=99))
        begin = time.monotonic()
        said = self.pull("org/big", code=75, HF_HUB_DOWNLOAD_TIMEOUT="1")
        self.assertLess(time.monotonic() - begin, 60)
        self.assertIn("nothing for 1 s", said)
        self.assertNotIn("signature", said, "addresses that are signed are shown without that")

    def test_a_hub_that_is_not_there(self):
        said = self.pull("org/big", code=69, HF_ENDPOINT="http://127.0.0.1:1")
        self.assertIn("HF_ENDPOINT", said)
        self.pull("org/big")
        done = self.galago("run", "-m", "org/big", "-p", "x", HF_ENDPOINT="http://127.0.0.1:1")
        self.assertEqual(done.returncode, 78, "it is in the cache, and no model: " + done.err)

    def test_429_and_500_are_tried_again_and_retry_after_is_kept(self):
        self.hub.faults += [
            Fault("GET /api/.*/revision/", status=429, headers={"Retry-After": "1"}),
            Fault("GET /api/.*/tree/", status=500, times=2),
            Fault("HEAD", status=503),
            Fault("GET /cdn/", status=403),
        ]
        begin = time.monotonic()
        self.pull("org/big")
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.check()
        self.hub.faults.append(Fault("/api/", status=429, headers={"Retry-After": "3600"}))
        self.assertIn("too many requests", self.pull("org/big", code=75))
        self.hub.faults.append(Fault("/api/", status=502, times=99))
        self.hub.requests.clear()
        self.pull("org/big", code=69)
        self.assertEqual(len(self.hub.requests), 5)


class Lies(Big):
    def refused(self, *faults, code=65, says="", name="org/big"):
        shutil.rmtree(self.cache, ignore_errors=True)
        self.hub.faults[:] = faults
        said = self.pull(name, code=code)
        self.assertIn(says, said)
        self.assertTrue(all(line.isprintable() for line in said.splitlines()), said)
        snapshots = self.repository_folder(name) / "snapshots"
        self.assertFalse(snapshots.exists() and any(snapshots.iterdir()), "nothing is shown")
        return said

    def test_a_wrong_checksum_is_refused_and_nothing_is_kept(self):
        change = lambda content: content[:-1] + b"!"  # noqa: E731
        self.refused(Fault("GET /cdn/", change=change, times=9), says="checksum")
        self.assertEqual(self.hub.count("GET /cdn/"), 1, "it is not tried again")
        self.assertEqual((self.blobs / (self.sha + ".incomplete")).stat().st_size, 0)
        self.refused(Fault("GET .*/config.json", change=change, times=9), says="checksum")
        self.hub.faults.clear()
        self.pull("org/big")
        self.check()

    def test_the_right_beginning_of_a_wrong_answer_is_kept(self):
        self.refused(Fault("GET /cdn/", change=lambda content: content + b"!", times=9), says="more bytes")
        self.hub.faults.clear()
        self.pull("org/big")
        self.check()

    def test_a_wrong_length_is_refused(self):
        self.refused(Fault("GET /cdn/", change=lambda content: content + b"!", times=9), says="more bytes")
        self.refused(Fault("GET /cdn/", change=lambda content: content[:-5], times=99), code=69, says="an end after")

    def test_pages_of_proxies_are_told(self):
        page = {"Content-Type": "text/html"}
        self.refused(Fault("/revision/", status=200, body=b"<html>log in</html>", headers=page), says="a web page")
        self.refused(Fault("/tree/", status=200, body=b"\n <!doctype html>", headers=page), says="a web page")
        self.refused(Fault("/revision/", status=200, body=b"not json"), says="HF_ENDPOINT")
        self.refused(Fault("/revision/", status=200, body=b"[]"), says="sha")
        self.refused(Fault("/revision/", status=200, body=b'{"sha": "../../../etc"}'), says="40 hexadecimal digits")
        self.refused(Fault("HEAD .*model", status=200, body=b"", times=9), says="X-Repo-Commit")

    def test_answers_without_end_are_cut(self):
        self.refused(Fault("/revision/", status=200, body=b" " * (17 << 20)), says="at most 16777216")
        self.refused(Fault("/tree/", status=200, body=b"[" * 100_000), says="")
        many = {f"X-Filler-{i}": "x" * 60000 for i in range(2)}
        self.refused(Fault("/revision/", status=200, headers=many), says="headers without end")

    def entry(self, path="x_config.json", size=2, oid="a" * 40, **more):
        return {"type": "file", "path": path, "size": size, "oid": oid} | more

    def test_hostile_listings_are_refused(self):
        lfs = {"lfs": {"oid": "a" * 64, "size": 2}}
        rows = [
            ([self.entry("../../../.bashrc")], "stays in its folder"),
            ([self.entry("/etc/passwd")], "stays in its folder"),
            ([self.entry("a/../../b_config.json")], "stays in its folder"),
            ([self.entry("a//b")], "stays in its folder"),
            ([self.entry("a\\..\\b")], "stays in its folder"),
            ([self.entry("\x1b[2J_config.json")], "\\u001b"),
            ([self.entry("a\0b")], "stays in its folder"),
            ([self.entry("x" * 300)], "stays in its folder"),
            ([self.entry("/".join("x" * 600))], "stays in its folder"),
            ([self.entry(".")], "stays in its folder"),
            ([self.entry(size=-1)], "a count of bytes"),
            ([self.entry(size=1 << 62)], "a count of bytes"),
            ([self.entry(size=1 << 64)], "a count of bytes"),
            ([self.entry(size=1e300)], "a count of bytes"),
            ([self.entry(size="2")], "a count of bytes"),
            ([self.entry(oid="../../x")], "hexadecimal"),
            ([self.entry(oid="A" * 40)], "hexadecimal"),
            ([self.entry(**{"lfs": {"oid": "b" * 40, "size": 2}})], "hexadecimal"),
            ([self.entry(), self.entry()], "two files"),
            ([self.entry("a"), self.entry("a/b")], "a file and a folder"),
            ([1], "a file or folder"),
            ({"error": "no"}, "a list"),
            ([{"type": "file"}], "path"),
            ([self.entry(**lfs, path="model.safetensors"), 7], "a file or folder"),
        ]
        for entries, says in rows:
            with self.subTest(says=says, entries=str(entries)[:60]):
                self.refused(Fault("/tree/", status=200, body=json.dumps(entries).encode()), says=says)
        self.assertEqual(self.files_in(self.folder), [])

    def test_a_million_entries_are_too_many(self):
        entries = [self.entry(f"{i}") for i in range(60_000)]
        body = json.dumps(entries, separators=(",", ":")).encode()
        more = [self.entry(f"a{i}") for i in range(60_000)]
        link = {"Link": f'<{self.hub.address}/api/models/org/big/tree/2>; rel="next"'}
        faults = Fault("/tree/[0-9a-f]{40}", status=200, body=body, headers=link), Fault("/tree/2", status=200, body=json.dumps(more).encode())
        self.refused(*faults, says="100000 files")

    def test_pages_that_lead_elsewhere_or_in_circles(self):
        link = {"Link": f'<{self.hub.cdn}/api/models/org/big/tree/2>; rel="next"'}
        self.refused(Fault("/tree/", status=200, body=b"[]", headers=link), says="one of the hub itself")
        self.assertEqual(self.hub.count("/tree/2"), 0)
        link = {"Link": f'<{self.hub.address}/api/models/org/big/tree/2>; rel="next"'}
        self.refused(Fault("/tree/", status=200, body=b"[]", headers=link, times=5000), says="pages without end")

    def test_redirects_that_lead_nowhere_good(self):
        for target in ("file:///etc/passwd", "ftp://localhost/x", "http://user:pass@localhost/", "", "http://[::bad"):
            self.refused(Fault("/revision/", status=302, headers={"Location": target}), says="a redirect")
        self.refused(Fault("/revision/", status=302, headers={"Location": self.hub.cdn + "/x"}), says="the hub itself")
        there = {"Location": self.hub.address + "/api/models/org/big/revision/main"}
        self.refused(Fault("/revision/", status=302, headers=there, times=99), says="redirects without end")

    def test_etags_are_hashes(self):
        for tag in ('"../../../x"', '"' + "a" * 64 + '"', "", '"' + "A" * 64 + '"'):
            self.refused(Fault("HEAD .*model", headers={"X-Linked-Etag": tag or '""'}, times=9), says="ETag")
        self.refused(Fault("HEAD .*model", headers={"X-Repo-Commit": "b" * 40}, times=9), says="commit")
        self.refused(Fault("HEAD .*model", headers={"X-Linked-Size": "5"}, times=9), says="bytes")

    def test_ranges_that_were_not_asked_for(self):
        content = {"Content-Range": f"bytes 5-{len(BIG) - 1}/{len(BIG)}"}
        faults = Fault("GET /cdn/", cut=1 << 20), Fault("GET /cdn/", headers=content, times=9)
        self.refused(*faults, says="the range")


class Disk(Big):
    def test_more_than_fits_is_said_before(self):
        huge = self.big.tree()
        for entry in huge:
            if "lfs" in entry:
                entry["lfs"]["size"] = entry["size"] = 1 << 49
        self.hub.faults.append(Fault("/tree/", status=200, body=json.dumps(huge).encode()))
        said = self.pull("org/big", code=74)
        self.assertIn("bytes free", said)
        self.assertFalse(self.cache.exists())

    def test_a_disk_that_fills_up(self):
        self.cache.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", self.cache], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("only root mounts file systems")
        self.addCleanup(subprocess.run, ["umount", "-l", self.cache], check=False)
        self.hub.faults.append(Fault("GET /cdn/", drip=(1 << 18, 0.2)))
        child = self.start("pull", "org/big")
        self.assertTrue(self.hub.wait_for("GET /cdn/"))
        with (self.cache / "filler").open("wb", buffering=0) as filler:  # another program's
            try:
                while True:
                    filler.write(bytes(1 << 12))
            except OSError:
                pass
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 74, said)
        self.assertIn("No space left", said)
        (self.cache / "filler").unlink()
        self.pull("org/big")
        self.check()

    def test_a_cache_that_cannot_be_written(self):
        self.cache.write_text("a file")
        self.pull("org/big", code=74)


if __name__ == "__main__":
    unittest.main()
