# bench/peers/compare.py with made programs in the place of galago and its peers: a peer that dies, one that fails, and
# that no worker is left behind, stopped or not, after Ctrl-C, SIGTERM, an exception, and SIGKILL.

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPARE = ROOT / "bench" / "peers" / "compare.py"
SOON = 30  # seconds within which anything here happens

# `galago bench`: 10 ms a run; what it was called with goes to calls.
GALAGO = """#!{python}
import json, os, pathlib, sys, time
words = sys.argv[1:]
with open(pathlib.Path(__file__).parent / "calls", "a") as calls:
    calls.write(" ".join(words) + " " + os.environ.get("GALAGO_CPU", "-") + "\\n")
if "int8" in words:
    sys.exit("galago: int8: this build has no such way")
stage = words[words.index("--only") + 1]
print(json.dumps({{"galago": "1", "backend": "cpu " + os.environ.get("GALAGO_CPU", "avx512"), "dtype": "bf16",
                  "peak": {{"gflops": 100, "gb_per_s": 10}},
                  "stages": [{{"name": stage, "runs_ms": [10], "gflop": 0.5, "gb": 0.05}}]}}))
"""

# A worker: 20 ms for everything. A file named like a fault and its peer's format in `faults` tells it what goes wrong.
WORKER = """
import json, os, pathlib, signal, sys, time
sys.path.insert(0, {workers!r})
import protocol
OUT = protocol.take_over_stdout()
folder = pathlib.Path(__file__).parent
words = sys.argv[1:]
name = words[words.index("--dtype") + 1] if "--dtype" in words else pathlib.Path(words[words.index("--text") + 1]).stem.split("-")[1]
(folder / "pids" / str(os.getpid())).write_text(" ".join(words))
done = 0

def fault(kind):
    return (folder / "faults" / (kind + "-" + name)).exists() and "--no-extra-buffers" not in words

def task(request):
    global done
    done += 1
    if fault("dies") and done == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault("leaves") and done == 2:
        os._exit(3)
    if fault("fails"):
        raise RuntimeError("cannot")
    if fault("hangs"):
        (folder / "hanging").write_text("")
        time.sleep(600)
    return {{"ms": 20}}

def load():
    if fault("ill"):
        os.kill(os.getpid(), signal.SIGILL)
    return {{"version": "1", "asked": "a fake"}}, {{"tile": task, "decode": task}}

protocol.serve(OUT, load)
"""


class Compare(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        for name in ("pids", "faults"):
            (self.folder / name).mkdir()
        self.galago = self.folder / "galago"
        self.galago.write_text(GALAGO.format(python=sys.executable))
        self.galago.chmod(0o755)
        worker = WORKER.format(workers=str(ROOT / "bench" / "peers" / "workers"))
        for name in ("llama_worker.py", "torch_worker.py", "onnx_worker.py"):
            (self.folder / name).write_text(worker)
        self.output = self.folder / "out" / "peers.json"
        self.addCleanup(self.end_all)

    def end_all(self):
        """What a failing test leaves behind; only workers that it has started itself."""
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)

    def command(self, *more, tasks=("tile",)):
        return [sys.executable, "-B", COMPARE, "--galago", self.galago, "--model", self.folder, "--cache", self.folder, "--image",
                self.folder / "photo.jpg", "--workers", self.folder, "-o", self.output, "--rounds", "4", "--tasks", *tasks, *more]

    def compare(self, *more, **kinds):
        done = subprocess.run([str(word) for word in self.command(*more, **kinds)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(self.output.read_text())

    def fault(self, kind, name):
        (self.folder / "faults" / f"{kind}-{name}").write_text("")

    def left(self):
        """Workers of this test that are still there; one that is dead and not yet reaped is not."""
        there = []
        for file in (self.folder / "pids").iterdir():
            try:
                state = pathlib.Path(f"/proc/{file.name}/stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state not in "ZX":
                there.append(int(file.name))
        return there

    def wait_for(self, what, happens):
        end = time.monotonic() + SOON
        while not happens():
            self.assertLess(time.monotonic(), end, f"{what} did not happen in {SOON} s")
            time.sleep(0.02)

    def started(self, *more):
        """A comparison in a process of its own that is at work: its worker hangs in a task, another one is stopped."""
        self.fault("hangs", "bf16")
        process = subprocess.Popen([str(word) for word in self.command("--peers", "torch-f32", "torch-bf16", *more)],
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_for("a task", lambda: (self.folder / "hanging").exists())
        self.assertEqual(len(self.left()), 2)
        return process

    def test_all_are_timed_and_none_is_left(self):
        result = self.compare("--peers", "llama-f32", "torch-bf16", "--ways", "galago", "galago-compute-bf16")
        programs = result["tasks"]["tile"]["programs"]
        self.assertEqual(set(programs), {"galago", "galago-compute-bf16", "llama-f32", "torch-bf16"})
        self.assertEqual(programs["torch-bf16"]["ratios"]["galago"]["median"], 2)
        self.assertEqual(result["failures"], [])
        self.assertEqual(result["programs"]["llama-f32"]["asked"], "a fake")
        self.assertEqual(self.left(), [])

    def test_a_peer_that_dies_at_load_is_told_and_the_others_go_on(self):
        self.fault("ill", "f32")
        result = self.compare("--peers", "torch-f32", "torch-bf16")
        self.assertIn("torch-f32 ended by SIGILL (loading)", result["failures"])
        self.assertNotIn("torch-f32", result["tasks"]["tile"]["programs"])
        self.assertEqual(len(result["tasks"]["tile"]["programs"]["torch-bf16"]["values"]), 4)
        self.assertEqual(self.left(), [])

    def test_a_peer_that_dies_in_a_round_keeps_its_rounds_before(self):
        self.fault("dies", "f32")  # the first task is not timed
        result = self.compare("--peers", "torch-f32", "torch-bf16")
        self.assertIn("torch-f32 ended by SIGSEGV (tile), in round 2 of tile", result["failures"])
        programs = result["tasks"]["tile"]["programs"]
        self.assertEqual(programs["torch-f32"]["values"], [20])
        self.assertEqual(len(programs["torch-bf16"]["values"]), 4)

    def test_a_peer_that_leaves_with_a_code_is_told(self):
        self.fault("leaves", "int8")
        failures = self.compare("--peers", "onnxruntime-int8")["failures"]
        self.assertIn("onnxruntime-int8 ended with exit code 3 (tile), in round 1 of tile", failures)

    def test_llama_is_tried_once_more_without_extra_buffers(self):
        self.fault("ill", "q8_0")
        self.fault("leaves", "q4_0")
        result = self.compare("--peers", "llama-q8_0", "llama-q4_0", tasks=("decode",))
        self.assertEqual(len(result["tasks"]["decode"]["programs"]["llama-q8_0"]["values"]), 4)
        self.assertEqual(result["programs"]["llama-q8_0"]["note"], "use_extra_bufts is off: llama-q8_0 ended by SIGILL (loading)")
        tries = [file.read_text() for file in (self.folder / "pids").iterdir() if "q8_0" in file.read_text()]
        self.assertEqual(sorted("--no-extra-buffers" in words for words in tries), [False, True])

    def test_llama_that_dies_between_tasks_comes_back_for_the_next(self):
        self.fault("dies", "bf16")
        result = self.compare("--peers", "llama-bf16", tasks=("tile", "decode"))
        self.assertEqual(len(result["tasks"]["tile"]["programs"]["llama-bf16"]["values"]), 1)
        self.assertEqual(len(result["tasks"]["decode"]["programs"]["llama-bf16"]["values"]), 4)

    def test_a_failure_is_told_and_the_peer_is_left_out(self):
        self.fault("fails", "f32")
        result = self.compare("--peers", "torch-f32")
        self.assertIn("torch-f32 tile: RuntimeError: cannot", result["failures"])
        self.assertNotIn("torch-f32", result["tasks"]["tile"]["programs"])

    def test_a_way_of_galago_that_this_build_has_not_is_told(self):
        result = self.compare("--peers", "torch-f32")
        self.assertIn("galago-compute-int8, vision tower: galago: int8: this build has no such way, in round 1 of tile", result["failures"])
        self.assertEqual(len(result["tasks"]["tile"]["programs"]["galago"]["values"]), 4)

    def test_an_older_set_holds_every_program_to_it(self):
        result = self.compare("--peers", "llama-f32", "openvino-f32", "--set", "avx2")
        self.assertEqual(result["set"], "avx2")
        self.assertEqual(set(result["tasks"]["tile"]["programs"]), {"galago", "llama-f32"})
        self.assertTrue(all(line.endswith(" avx2") for line in (self.folder / "calls").read_text().splitlines()))

    def test_an_older_set_that_galago_does_not_keep_is_refused(self):
        self.galago.write_text(self.galago.read_text().replace('"cpu " + os.environ.get("GALAGO_CPU", "avx512")', '"cpu avx512"'))
        done = subprocess.run([str(word) for word in self.command("--set", "avx2")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this build has no such cap", done.stderr)

    def test_ctrl_c_ends_all_workers(self):
        process = self.started()
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(SOON), 130)
        self.assertEqual(self.left(), [])

    def test_sigterm_ends_all_workers(self):
        process = self.started()
        process.terminate()
        self.assertEqual(process.wait(SOON), 128 + signal.SIGTERM)
        self.assertEqual(self.left(), [])

    def test_sigkill_leaves_no_worker_either(self):
        process = self.started()
        process.kill()
        process.wait(SOON)
        self.wait_for("the workers' end", lambda: not self.left())

    def test_an_exception_ends_all_workers(self):
        self.output.parent.mkdir()
        self.output.mkdir()  # cannot be written
        done = subprocess.run([str(word) for word in self.command("--peers", "torch-f32", "torch-bf16")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("IsADirectoryError", done.stderr)
        self.assertEqual(len(list((self.folder / "pids").iterdir())), 2)
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main()
