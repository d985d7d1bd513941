"""galago.ray on two machines that are none: an actor is killed, a machine is lost, the driver is killed and begun again."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
import ray  # noqa: E402
import ray.data  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

import galago  # noqa: E402
import galago.ray  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
DEMO = ROOT / "models" / "demo"
PROMPT = "What is in the picture?"
CPUS = 4  # of a machine; with fewer, reading waits for the actors
LONG = {"max_tokens": 60, "ignore_eos": True}  # so that a run takes seconds
PATIENCE = 300  # seconds


def pictures():
    return sorted((DEMO / "pictures").glob("*.jpg"))


def rows(count):
    files = [path.read_bytes() for path in pictures()]
    return [{"id": number, "image": files[number % len(files)]} for number in range(count)]


def one_process(**options):
    """The answers to pictures() by a model of this process."""
    with galago.Model(DEMO, threads=1) as model:
        return [answer.text for answer in model.generate([galago.Request(PROMPT, [path]) for path in pictures()], **options)]


def actor_pids():
    """Processes of Answerer actors."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if entry.name.isdigit() and command.startswith(b"ray::MapWorker(MapBatches(Answerer)"):
            found.append(int(entry.name))
    return found


class OfTwoMachines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        node = {"num_cpus": CPUS, "object_store_memory": 200 << 20}
        noticing = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
        cls.cluster = Cluster(initialize_head=True, head_node_args={**node, "_system_config": noticing})
        cls.second = cls.cluster.add_node(**node)
        ray.init(address=cls.cluster.address, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False

    @classmethod
    def tearDownClass(cls):
        ray.shutdown()
        cls.cluster.shutdown()

    def answered(self, count, at=None, act=None, **options):
        """{id: row} of so many questions; `act` is called when `at` of them are answered. Twice the same id fails."""
        dataset = ray.data.from_items(rows(count), override_num_blocks=16)
        answers = galago.ray.answer(
            dataset, str(DEMO), PROMPT, cpus=1, actors=2, batch_size=8, drop=["image"], load={"threads": 1}, **options
        )
        seen = {}
        for row in answers.iter_rows():
            self.assertNotIn(row["id"], seen)
            seen[row["id"]] = row
            if len(seen) == at:
                act()
        return seen

    def check(self, seen, count, **options):
        expected = one_process(**options)
        self.assertEqual(sorted(seen), list(range(count)))
        for number, row in seen.items():
            self.assertEqual(row["answer"], expected[number % len(expected)])
            self.assertIsNone(row["answer_error"])
            self.assertGreater(row["answer_tokens"], 0)

    def test_1_answers_are_those_of_one_process(self):
        self.check(self.answered(40, max_tokens=8), 40, max_tokens=8)

    def test_2_a_row_that_fails_has_its_error(self):
        dataset = ray.data.from_items([{"id": 0, "image": b"no picture"}, {"id": 1, "image": rows(1)[0]["image"]}])
        found = galago.ray.answer(dataset, str(DEMO), PROMPT, cpus=1, actors=1, output="said", load={"threads": 1}).take_all()
        bad, good = sorted(found, key=lambda row: row["id"])
        self.assertIsNone(bad["said"])
        self.assertTrue(bad["said_error"].startswith("unsupported_media"), bad["said_error"])
        self.assertEqual(good["said"], one_process()[0])
        self.assertEqual(good["image"], rows(1)[0]["image"])

    def test_3_a_killed_actor_loses_no_row(self):
        killed = []

        def kill():
            killed.extend(actor_pids()[:1])
            os.kill(killed[0], signal.SIGKILL)

        self.check(self.answered(96, at=8, act=kill, **LONG), 96, **LONG)
        self.assertEqual(len(killed), 1)

    def test_4_a_run_that_broke_off_goes_on(self):
        count, each = 60, 5
        with tempfile.TemporaryDirectory() as folder:
            source, out = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
            source.mkdir()
            for number in range(count):
                (source / f"{number:03}.jpg").symlink_to(pictures()[number % len(pictures())])
            command = [sys.executable, ROOT / "examples" / "ray_caption.py", source, out, "--model", DEMO]
            command += ["--address", self.cluster.address, "--rows-per-file", str(each)]
            with open(pathlib.Path(folder, "log"), "w+") as log:
                first = subprocess.Popen(command, stdout=log, stderr=log)
                limit = time.monotonic() + PATIENCE
                while len(list(out.glob("captions/*.parquet"))) < 3:
                    self.assertIsNone(first.poll(), pathlib.Path(folder, "log").read_text())
                    self.assertLess(time.monotonic(), limit)
                    time.sleep(0.02)
                first.kill()
                first.wait()
            before = self.captions(out, torn=True)
            self.assertLess(len(before), count)
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            after = self.captions(out)
            expected = one_process(max_tokens=64)
            self.assertEqual(len(after), count, "each picture once")
            for path, caption in after:
                self.assertEqual(caption, expected[int(pathlib.Path(path).stem) % len(expected)])
            self.assertLessEqual(set(before), set(after))

    def test_45_the_program_of_the_page(self):
        text = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
        program = next(code for code in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if "galago.ray" in code)
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            (place / "pages").mkdir()
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows(6)), place / "pages" / "1.parquet")
            self.assertEqual(program.count("s3://bucket/"), 2)
            program = program.replace("s3://bucket/", f"{place}/").replace("ORG/NAME", str(DEMO))
            exec(compile(program, "docs/scale-out.md", "exec"), {})
            found = pyarrow.parquet.read_table(place / "doctags").to_pylist()
        self.assertEqual(sorted(row["id"] for row in found), list(range(6)))
        for row in found:
            self.assertEqual((row["doctags_error"], row["doctags_finish_reason"]), (None, "stop"))
            self.assertNotIn("image", row)

    def captions(self, out, torn=False):
        """(path, caption) of all files; torn: one that is not whole is passed over."""
        tables = []
        for path in sorted(out.glob("captions/*.parquet")):
            try:
                tables.append(pyarrow.parquet.read_table(path))
            except pyarrow.ArrowInvalid:
                self.assertTrue(torn, path)
        found = [(row["path"], row["caption"]) for table in tables for row in table.to_pylist()]
        self.assertEqual(len(found), len({path for path, _ in found}), "no picture twice")
        return found

    def test_5_a_lost_machine_loses_no_row(self):
        def lose():
            self.cluster.remove_node(self.second, allow_graceful=False)

        self.check(self.answered(96, at=8, act=lose, **LONG), 96, **LONG)


if __name__ == "__main__":
    unittest.main()
