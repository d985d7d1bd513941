# bench/quiet.sh and the scripts of bench/stages with a made `galago` of one answer.

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUIET = ROOT / "bench" / "quiet.sh"
GALAGO = """#!{python}
import json, sys
words = sys.argv[1:]
if "int8" in words:
    sys.exit("galago: this build has no int8")
ms = 40 if words[words.index("-t") + 1] == "1" else 25
only = [words[i + 1] for i, word in enumerate(words) if word == "--only"]
print(json.dumps({{"galago": "1", "backend": "cpu", "dtype": "bf16", "model_type": "m", "threads": 2, "load_ms": 1,
                  "peak": {{"gflops": 100, "gb_per_s": 10}},
                  "stages": [{{"name": name, "work": "w", "runs_ms": [ms], "gflop": 1, "gb": 0.1}} for name in only]}}))
"""


class Quiet(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.galago = self.folder / "galago"
        self.galago.write_text(GALAGO.format(python=sys.executable))
        self.galago.chmod(0o755)
        (self.folder / "venv" / "bin").mkdir(parents=True)
        (self.folder / "venv" / "bin" / "python").symlink_to(sys.executable)

    def quiet(self, *more):
        command = [QUIET, "--galago", self.galago, "--model", self.folder, "--cache", self.folder, "--busy", "--output", self.folder / "out",
                   *more]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def read(self, name):
        return json.loads((self.folder / "out" / name).read_text())

    def test_a_part_that_fails_keeps_none_from_being_recorded(self):
        code, output = self.quiet("--only", "stages threads", "--rounds", "1")
        self.assertEqual(code, 1)
        self.assertIn("quiet.sh: stages failed", output)
        self.assertEqual(self.read("stages-bf16.json")["flags"], ["--compute", "bf16"])
        self.assertEqual(self.read("stages.json")["flags"], [])
        self.assertNotIn("first token", [stage["name"] for stage in self.read("stages.json")["stages"]])
        self.assertFalse((self.folder / "out" / "stages-int8.json").exists())
        threads = self.read("threads.json")
        self.assertEqual(threads["rates"]["1"], {"gflops": 100, "gb_per_s": 10})
        tower = threads["stages"][0]
        self.assertEqual((tower["name"], tower["numbers"], tower["ms"]["1"]["median"], tower["ms"]["2"]["median"]),
                         ("vision tower", "float32", 40, 25))
        self.assertEqual(len(tower["ms"]["1"]["values"]), 2)

    def test_what_is_missing_or_unknown_is_said_before_anything_runs(self):
        self.assertEqual(self.quiet("--only", "stages nonsense")[0], 64)
        self.assertFalse((self.folder / "out" / "stages.json").exists())
        code, output = self.quiet("--image", self.folder / "none.jpg")
        self.assertEqual(code, 66)
        self.assertIn("none.jpg is not there", output)


if __name__ == "__main__":
    unittest.main()
