"""galago pull and -m ORG/NAME where nothing goes wrong."""

import json
import unittest
import urllib.request

from fake_hub import Repository
from hub_test_support import MODELS, HubTest

NEEDED = [
    "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json",
    "processor_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
]  # fmt: skip


class Pull(HubTest):
    def test_the_snapshot_has_what_is_needed_and_its_path_is_printed(self):
        done = self.galago("pull", "org/tiny")
        self.assertEqual(done.returncode, 0, done.err)
        snapshot = self.cache / "models--org--tiny" / "snapshots" / self.tiny.commit
        self.assertEqual(done.out, f"{snapshot}\n")
        self.assertIn("downloading org/tiny: 9 files", done.err)
        self.assertEqual(self.files_in(snapshot), NEEDED)
        self.check_whole("org/tiny", self.tiny, snapshot)
        self.assertEqual((self.repository_folder() / "refs" / "main").read_text(), self.tiny.commit)
        self.assertTrue((self.cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55"))

    def test_what_is_there_is_not_fetched_again(self):
        self.pull("org/tiny")
        self.hub.requests.clear()
        self.pull("org/tiny")
        self.assertEqual(self.hub.count("/resolve/|/cdn/"), 0)
        self.assertEqual(self.hub.count("/api/"), 2)

    def test_a_model_is_pulled_when_it_is_named(self):
        words = ["run", "-m", "org/tiny", "-n", "4", "-p", "x", "--json"]
        first = self.galago(*words)
        self.assertEqual(first.returncode, 0, first.err)
        self.assertIn("downloading org/tiny: 9 files", first.err)
        here = self.galago("run", "-m", MODELS / "smolvlm_tiles", "-n", "4", "-p", "x", "--json")
        self.assertEqual(json.loads(first.out)["token_ids"], json.loads(here.out)["token_ids"])
        self.hub.requests.clear()
        again = self.galago(*words)
        self.assertEqual(again.returncode, 0, again.err)
        self.assertNotIn("download", again.err)
        self.assertEqual(self.hub.requests, [], "nobody is asked for what is there")

    def test_addresses_and_flags_of_other_programs_mean_the_same(self):
        for words in (["-hf", "org/tiny"], ["-m", f"{self.hub.address}/org/tiny/tree/main"], ["--hf-repo", "org/tiny@main"]):
            done = self.galago("inspect", *words)
            self.assertEqual(done.returncode, 0, done.err)

    def test_a_revision_is_a_branch_a_tag_or_a_commit(self):
        self.tiny.refs = ("main", "v1", "refs/pr/1")
        for revision in ("v1", "refs/pr/1", self.tiny.commit):
            snapshot = self.pull(f"org/tiny@{revision}")
            self.assertEqual(snapshot, self.pull("org/tiny", "--revision", revision))
        self.assertEqual((self.repository_folder() / "refs/refs/pr/1").read_text(), self.tiny.commit)
        self.assertEqual(self.files_in(self.repository_folder() / "refs"), ["refs/pr/1", "v1"])
        self.assertIn("%2Fpr%2F1", str([r.path for r in self.hub.requests]))

    def test_patterns_choose_files(self):
        snapshot = self.pull("org/tiny", "--include", "*.json", "--include", "onnx/", "--exclude", "tok*")
        folder = self.repository_folder() / "snapshots" / self.tiny.commit
        self.assertEqual(snapshot, str(folder))
        wanted = [p for p in NEEDED if p.endswith(".json") and not p.startswith("tok")] + ["onnx/model.onnx"]
        self.assertEqual(self.files_in(folder), sorted(wanted))
        self.assertFalse((self.repository_folder() / "trees").exists())
        self.pull("org/tiny", "--all")
        self.assertEqual(self.files_in(folder), sorted(self.tiny.files))
        self.assertTrue((self.repository_folder() / "trees" / f"{self.tiny.commit}.json").exists())
        self.check_whole("org/tiny", self.tiny, folder)
        self.assertIn("no file that fits", self.pull("org/tiny", "--include", "*.nothing", code=66))

    def test_a_dry_run_lists_files_and_writes_nothing(self):
        listed = self.pull("org/tiny", "--dry-run")
        self.assertIn(self.tiny.commit, listed)
        for path in NEEDED:
            self.assertIn(path, listed)
        self.assertFalse(self.cache.exists())
        plan = json.loads(self.pull("org/tiny", "--dry-run", "--json"))
        self.assertEqual(plan["bytes"], sum(len(self.tiny.files[p]) for p in NEEDED))
        self.assertEqual(plan["bytes_to_fetch"], plan["bytes"])

    def test_a_long_listing_has_pages(self):
        self.hub.page = 3
        snapshot = self.pull("org/tiny")
        self.assertGreater(self.hub.count("cursor="), 3)
        self.assertTrue(snapshot.endswith(self.tiny.commit))

    def test_shards_are_pulled_and_duplicates_are_not(self):
        self.add("org/sharded", Repository.of(MODELS / "sharded", {"consolidated.safetensors": b"again"}))
        snapshot = self.repository_folder("org/sharded") / "snapshots"
        self.pull("org/sharded")
        names = self.files_in(next(snapshot.iterdir()))
        self.assertEqual(sum(n.endswith(".safetensors") for n in names), 3)
        self.assertIn("model.safetensors.index.json", names)
        both = Repository.of(MODELS / "sharded", {"model.safetensors": (MODELS / "smolvlm_tiles/model.safetensors").read_bytes()})
        self.add("org/both", both)
        self.pull("org/both")
        names = self.files_in(next((self.repository_folder("org/both") / "snapshots").iterdir()))
        self.assertEqual([n for n in names if "safetensors" in n], ["model.safetensors"])

    def test_two_files_of_one_content_are_one_blob(self):
        self.add("org/twice", Repository(self.tiny.files | {"a_config.json": b"{}", "b_config.json": b"{}"}))
        self.pull("org/twice")
        self.assertEqual(self.hub.count("GET /org/twice/resolve/.*[ab]_config.json"), 1)

    def test_a_repository_that_moved_is_followed_within_the_hub(self):
        self.hub.moved["old/name"] = "org/tiny"
        self.assertTrue(self.pull("old/name").endswith(self.tiny.commit))

    def test_a_snapshot_with_files_missing_is_completed(self):
        self.pull("org/tiny", "--include", "config.json")
        done = self.galago("run", "-m", "org/tiny", "-n", "2", "-p", "x")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(self.hub.count("GET /org/tiny/resolve/.*/config.json"), 1)

    def test_a_new_commit_brings_only_what_changed(self):
        self.pull("org/tiny")
        newer = Repository(self.tiny.files | {"generation_config.json": b'{"max_new_tokens": 7}'})
        self.add("org/tiny", newer)
        self.hub.requests.clear()
        self.assertTrue(self.pull("org/tiny").endswith(newer.commit))
        self.assertEqual(self.hub.count("HEAD"), 1)
        self.assertEqual((self.repository_folder() / "refs/main").read_text(), newer.commit)


class Habits(HubTest):
    def test_an_adapter_brings_its_base(self):
        self.add("org/adapter", Repository(self.adapter("org/tiny")))
        done = self.galago("inspect", "-m", "org/adapter")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertIn("downloading org/tiny", done.err)
        again = self.galago("inspect", "-m", "org/adapter", HF_HUB_OFFLINE="1")
        self.assertEqual(again.returncode, 0, again.err)

    def adapter(self, base):
        folder = MODELS.parent / "adapters" / "smolvlm"
        files = Repository.of(folder).files
        settings = json.loads(files["adapter_config.json"])
        files["adapter_config.json"] = json.dumps(settings | {"base_model_name_or_path": base, "revision": None}).encode()
        return files

    def test_a_path_that_is_written_wrong_asks_nobody(self):
        (self.folder / "mine").mkdir()
        for name in ("mine/tiny", "org/tiny.gguf"):
            done = self.galago("run", "-m", name, "-p", "x", cwd=self.folder)
            self.assertEqual(done.returncode, 66, done.err)
            self.assertIn("galago pull " + name, done.err)
        self.assertEqual(self.hub.requests, [])

    def test_a_served_model_has_its_name(self):
        child = self.start("serve", "-m", f"{self.hub.address}/org/tiny", "--port", "0")
        try:
            address = child.stdout.readline().strip()
            with urllib.request.urlopen(address + "/v1/models", timeout=30) as answer:
                self.assertEqual(json.load(answer)["data"][0]["id"], "org/tiny")
        finally:
            child.terminate()
            child.communicate(timeout=60)


class Gguf(HubTest):
    def setUp(self):
        super().setUp()
        model = (MODELS / "gguf_smolvlm/model.gguf").read_bytes()
        eyes = (MODELS / "gguf_smolvlm/mmproj-model.gguf").read_bytes()
        q8 = (MODELS / "gguf_smolvlm_q8/model.gguf").read_bytes()
        self.files = {"tiny-F16.gguf": model, "tiny-Q8_0.gguf": q8, "mmproj-tiny-F16.gguf": eyes, "mmproj-tiny-F32.gguf": eyes + b"\0", "README.md": b""}
        self.add("org/gguf", Repository(self.files))

    def test_a_quantisation_and_its_eyes_are_pulled(self):
        model = self.pull("org/gguf:f16")
        self.assertTrue(model.endswith("/tiny-F16.gguf"), model)
        snapshot = self.repository_folder("org/gguf") / "snapshots"
        self.assertEqual(self.files_in(next(snapshot.iterdir())), ["mmproj-tiny-F16.gguf", "tiny-F16.gguf"])
        self.assertTrue(self.pull("org/gguf").endswith("/tiny-Q8_0.gguf"), "the default")
        self.assertTrue(self.pull("org/gguf:tiny-F16.gguf").endswith("/tiny-F16.gguf"))

    def test_it_sees_pictures(self):
        picture = MODELS.parent / "pictures" / "shapes_100x80.png"
        for name in ("org/gguf:Q8_0", "org/gguf"):
            done = self.galago("run", "-hf", name, "-n", "3", "-i", picture, "-p", "What?", "--json")
            self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(self.hub.count("GET /org/gguf/resolve/.*Q8_0"), 1)
        self.assertEqual(self.hub.count("/tree/"), 1)

    def test_one_that_is_not_there_is_answered_with_those_that_are(self):
        said = self.pull("org/gguf:Q5_K_M", code=66)
        self.assertIn("tiny-F16.gguf, tiny-Q8_0.gguf", said)

    def test_all_parts_of_a_split_model_are_pulled(self):
        self.add("org/split", Repository.of(MODELS / "gguf_split"))
        model = self.pull("org/split")
        self.assertTrue(model.endswith("model-00001-of-00003.gguf"))
        done = self.galago("run", "-m", "org/split", "-n", "2", "-p", "x", HF_HUB_OFFLINE="1")
        self.assertEqual(done.returncode, 0, done.err)


class Secrets(HubTest):
    def test_the_token_goes_to_the_hub_alone(self):
        self.tiny.gated = True
        self.pull("org/tiny", HF_TOKEN=self.hub.token)
        seen = {(r.host, "Authorization" in r.headers) for r in self.hub.requests}
        self.assertEqual(seen, {("127.0.0.1", True), ("localhost", False)})

    def test_it_comes_from_a_file_too(self):
        self.tiny.private = True
        token = self.folder / "token"
        token.write_text(self.hub.token + "\n")
        self.pull("org/tiny")
        token.rename(self.folder / "other")
        self.pull("org/tiny", "--dry-run", code=66)
        self.pull("org/tiny", "--dry-run", HF_TOKEN_PATH=str(self.folder / "other"))
        self.pull("org/tiny", "--dry-run", "--token-file", self.folder / "other")
        self.pull("org/tiny", "--dry-run", HF_TOKEN="hf_secret\x01", code=64)

    def test_a_gated_model_says_what_to_do(self):
        self.tiny.gated = True
        said = self.pull("org/tiny", code=77)
        self.assertIn("terms have to be accepted", said)
        self.assertIn(f"{self.hub.address}/org/tiny", said)
        self.assertIn("HF_TOKEN", said)
        self.assertIn("may not read it", self.pull("org/tiny", code=77, HF_TOKEN="hf_other"))


class Missing(HubTest):
    def test_what_is_not_there_is_named(self):
        for name, says in (("org/none", "no such repository"), ("org/tiny@none", "no such revision")):
            self.assertIn(says, self.pull(name, code=66))
        self.assertFalse(self.cache.exists())
        self.add("org/pickled", Repository({"config.json": b"{}", "pytorch_model.bin": b""}))
        self.assertIn("pytorch_model.bin alone", self.pull("org/pickled", code=78))
        self.assertIn("ORG/NAME", self.pull("gpt2", code=64))

    def test_offline_nobody_is_asked(self):
        self.pull("org/tiny")
        self.hub.requests.clear()
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            self.assertTrue(self.pull("org/tiny", **{name: "1"}).endswith(self.tiny.commit))
            self.assertIn("HF_HUB_OFFLINE", self.pull("org/other", code=66, **{name: "true"}))
            done = self.galago("run", "-m", "org/other", "-p", "x", **{name: "1"})
            self.assertEqual(done.returncode, 66, done.err)
        self.assertEqual(self.hub.requests, [])

    def test_a_file_that_the_listing_has_and_the_hub_has_not(self):
        from fake_hub import Fault

        missing = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.tiny.commit}
        self.hub.faults.append(Fault("HEAD .*tokenizer_config.json", status=404, headers=missing))
        self.assertIn("no such file", self.pull("org/tiny", code=66))
        self.assertTrue((self.repository_folder() / ".no_exist" / self.tiny.commit / "tokenizer_config.json").exists())


if __name__ == "__main__":
    unittest.main()
