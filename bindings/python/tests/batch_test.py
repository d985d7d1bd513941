"""Very many pictures: the records of `galago batch`, resumed after whatever happened; Parquet in and out."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import galago
import pyarrow
import pyarrow.parquet
from support import DEMO, PROGRAM, QUESTION, ROOT, SHAPES, TINY

PICTURES = DEMO / "pictures"


class Batch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Model(TINY)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def lines(self, path):
        return [json.loads(line) for line in path.read_text().splitlines()]

    def test_words_as_the_command_line_has_them(self):
        ours, theirs = self.folder / "ours.jsonl", self.folder / "theirs.jsonl"
        summary = galago.batch(self.model, PICTURES, QUESTION, output=ours, max_tokens=4)
        words = ["batch", PICTURES, "-p", QUESTION, "-o", theirs, "-m", TINY, "-n", "4"]
        subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True)
        self.assertEqual(ours.read_bytes(), theirs.read_bytes())
        self.assertEqual((summary.done, summary.failed, summary.resumed), (len(self.lines(ours)), 0, 0))
        self.assertGreater(summary.done, 3)

    def test_words_that_are_refused(self):
        output = self.folder / "out.jsonl"
        with self.assertRaises(galago.NotFoundError):
            galago.batch(self.model, "nowhere", QUESTION, output=output)
        with self.assertRaisesRegex(galago.UsageError, "NAME.jsonl"):
            galago.batch(self.model, PICTURES, QUESTION, output=self.folder / "out.csv")
        self.assertEqual(list(self.folder.iterdir()), [])
        output.write_text("mine")
        with self.assertRaisesRegex(galago.UsageError, "restart=True"):
            galago.batch(self.model, PICTURES, QUESTION, output=output)

    def test_columns_of_lines_and_tables(self):
        (self.folder / "q.jsonl").write_text(json.dumps({"photo": str(SHAPES), "key": "a", "ask": QUESTION}) + "\n")
        (self.folder / "q.csv").write_text(f"photo,key,ask\n{SHAPES},a,{QUESTION}\n")
        columns = {"image": "photo", "id": "key", "prompt": "ask"}
        wanted = self.model.chat(QUESTION, [SHAPES], max_tokens=3)
        for name in ("q.jsonl", "q.csv"):
            with self.subTest(name):
                output = self.folder / f"{name}.out"
                galago.batch(self.model, self.folder / name, "Another?", output=output, columns=columns, max_tokens=3, keep_journal=True)
                (record,) = self.lines(output)
                self.assertEqual((record["id"], record["text"]), ("a", wanted.text))
                with self.assertRaisesRegex(galago.UsageError, "columns"):
                    galago.batch(self.model, self.folder / name, "Another?", output=output, columns={"image": "photo"}, max_tokens=3)
        with self.assertRaisesRegex(galago.UsageError, "columns: got picture"):
            galago.batch(self.model, self.folder / "q.csv", QUESTION, output=self.folder / "b", columns={"picture": "photo"})
        with self.assertRaisesRegex(galago.InputError, r'columns=\{"image": NAME\} takes another'):
            galago.batch(self.model, self.folder / "q.csv", QUESTION, output=self.folder / "b")

    def test_errors_again(self):
        broken, output = self.folder / "broken.png", self.folder / "out.jsonl"
        broken.write_bytes(b"no picture")
        items = [{"image": str(broken)}, {"image": str(SHAPES)}]
        run = lambda **more: galago.batch(self.model, items, QUESTION, output=output, max_tokens=4, **more)
        self.assertEqual(run(keep_journal=True).failed, 1)
        broken.write_bytes(SHAPES.read_bytes())
        self.assertEqual(run(keep_journal=True).failed, 1)
        summary = run(retry_errors=True)
        self.assertEqual((summary.done, summary.failed, summary.resumed), (2, 0, 1))
        first, second = self.lines(output)
        self.assertEqual(first["text"], second["text"])

    def test_items(self):
        broken = self.folder / "broken.png"
        broken.write_bytes(b"no picture")
        items = [
            {"id": "one", "image": SHAPES},
            {"image": str(broken)},
            {"id": 3, "images": [SHAPES.read_bytes(), SHAPES], "prompt": "What differs?", "max_tokens": 2},
            {"id": "text", "messages": [{"role": "user", "content": "Hello"}]},
            {"id": "mistake", "image": 3.5},
            {"id": "option", "max_token": 3},
        ]
        output = self.folder / "out.jsonl"
        summary = galago.batch(self.model, iter(items), QUESTION, output=output, max_tokens=4, progress=True)
        self.assertEqual((summary.done, summary.failed), (6, 3))
        first, second, third, fourth, fifth, sixth = self.lines(output)
        self.assertEqual(first["text"], self.model.chat(QUESTION, [SHAPES], max_tokens=4).text)
        self.assertEqual((second["id"], second["error"]["code"]), (str(broken), "unsupported_media"))
        self.assertEqual((third["id"], third["usage"]["completion_tokens"]), ("3", 2))
        self.assertEqual(fourth["text"], self.model.chat("Hello", max_tokens=4).text)
        self.assertIn("TypeError", fifth["error"]["message"])
        self.assertIn("max_token", sixth["error"]["message"])

    def test_what_the_iterable_raises_ends_the_run_which_is_resumed(self):
        output = self.folder / "out.jsonl"
        whole = self.folder / "whole.jsonl"
        items = [{"id": str(i), "image": SHAPES, "prompt": f"What is this? ({i})"} for i in range(12)]

        def torn():
            yield from items[:7]
            raise KeyError("the bucket")

        with self.assertRaises(KeyError):
            galago.batch(self.model, torn(), output=output, max_tokens=2)
        self.assertFalse(output.exists())
        summary = galago.batch(self.model, items, output=output, max_tokens=2)
        self.assertGreater(summary.resumed, 0)
        galago.batch(self.model, items, output=whole, max_tokens=2)
        self.assertEqual(output.read_bytes(), whole.read_bytes())
        with self.assertRaises(galago.UsageError):
            galago.batch(self.model, items, output=output, max_tokens=2)

    def test_another_question_is_refused(self):
        output = self.folder / "out.jsonl"

        def torn():
            yield {"id": "a", "image": SHAPES}
            raise KeyError("the bucket")

        with self.assertRaises(KeyError):
            galago.batch(self.model, torn(), QUESTION, output=output, max_tokens=2)
        with self.assertRaises(galago.UsageError):
            galago.batch(self.model, [{"id": "a", "image": SHAPES}], "Another?", output=output, max_tokens=2)
        with self.assertRaises(galago.UsageError):
            galago.batch(self.model, [{"id": "a", "image": PICTURES / "cat.jpg"}], QUESTION, output=output, max_tokens=2)

    def start(self, output):
        script = f"""
            import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
            import galago
            from support import SHAPES, TINY
            items = [dict(id=str(i), image=SHAPES, prompt=f"What is this? ({{i}})") for i in range(40)]
            galago.batch(galago.Model(TINY), items, output={str(output)!r}, max_tokens=100, ignore_eos=True)
        """
        script = "\n".join(line.strip() for line in script.splitlines())
        return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=ROOT)

    def test_killed_and_interrupted(self):
        output, whole = self.folder / "out.jsonl", self.folder / "whole.jsonl"
        journal = pathlib.Path(f"{output}.journal")
        for number in (signal.SIGKILL, signal.SIGINT):
            child = self.start(output)
            before = journal.stat().st_size if journal.exists() else 0
            for _ in range(3000):
                if child.poll() is not None or (journal.exists() and journal.stat().st_size > before + 600):
                    break
                time.sleep(0.01)
            child.send_signal(number)
            said = child.communicate(timeout=60)[1]
            if number == signal.SIGINT and child.returncode != 0:
                self.assertIn("KeyboardInterrupt", said)
        for path in (output, whole):
            if path.exists():
                continue
            with self.start(path) as child:
                self.assertEqual(child.wait(120), 0, child.stderr.read())
        self.assertEqual(output.read_bytes(), whole.read_bytes())
        self.assertEqual([line["id"] for line in self.lines(output)], [str(i) for i in range(40)])

    def test_parquet(self):
        pixels = SHAPES.read_bytes()
        forms = {
            "bytes": pyarrow.array([pixels, b"broken", pixels]),
            "path": pyarrow.array([str(SHAPES), "no such picture.png", str(SHAPES)]),
            "struct": pyarrow.array([{"bytes": pixels, "path": None}, {"bytes": None, "path": "x.png"}, {"bytes": None, "path": str(SHAPES)}]),
        }
        wanted = self.model.chat(QUESTION, [SHAPES], max_tokens=3)
        for name, pictures in forms.items():
            with self.subTest(name):
                source, output = self.folder / f"{name}.parquet", self.folder / f"{name}.out.parquet"
                table = pyarrow.table({"id": ["a", "b", "c"], "photo": pictures, "other": [1, 2, 3]})
                pyarrow.parquet.write_table(table, source)
                summary = galago.batch(
                    self.model, source, QUESTION, output=output, columns={"image": "photo"}, max_tokens=3, logprobs=True
                )
                self.assertEqual((summary.done, summary.failed), (3, 1))
                a, b, c = pyarrow.parquet.read_table(output).to_pylist()
                self.assertEqual([row["id"] for row in (a, b, c)], ["a", "b", "c"])
                self.assertEqual((a["text"], a["finish_reason"]), (wanted.text, wanted.finish_reason))
                self.assertEqual(a["usage"]["completion_tokens"], wanted.usage.completion_tokens)
                self.assertEqual(len(json.loads(a["more"])["tokens"]), 3)
                self.assertEqual((b["text"], bool(b["error"]["message"]), a["error"]), (None, True, None))
                self.assertEqual([file.name for file in self.folder.glob(".*")], [])

    def test_a_column_of_pictures_is_not_overlooked(self):
        source, output = self.folder / "in.parquet", self.folder / "out.jsonl"
        pixels = SHAPES.read_bytes()
        for column in ({"photo": [str(SHAPES)]}, {"bytes": [pixels]}, {"first": [{"bytes": pixels, "path": None}]}):
            name = next(iter(column))
            pyarrow.parquet.write_table(pyarrow.table({"prompt": ["What?"], "note": ["a"], **column}), source)
            with self.subTest(name), self.assertRaisesRegex(galago.UsageError, f'columns={{"image": "{name}"}}'):
                galago.batch(self.model, source, output=output)
        galago.batch(self.model, source, output=output, columns={"prompt": "prompt"}, max_tokens=2)
        self.assertEqual(self.lines(output)[0]["usage"]["image_tokens"], 0)
        pyarrow.parquet.write_table(pyarrow.table({"prompt": ["What?"], "note": ["a"]}), source)
        self.assertEqual(galago.batch(self.model, source, output=self.folder / "b.jsonl", max_tokens=2).failed, 0)

    def test_parquet_refused(self):
        source = self.folder / "in.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), source)
        output = self.folder / "out.parquet"
        for use, kind in (
            (lambda: galago.batch(self.model, source, QUESTION, output=output), galago.UsageError),
            (lambda: galago.batch(self.model, source, QUESTION, output=output, columns={"image": "b"}), galago.UsageError),
            (lambda: galago.batch(self.model, source, QUESTION, output=output, columns={"picture": "a"}), galago.UsageError),
            (lambda: galago.batch(self.model, "nowhere.parquet", QUESTION, output=output), galago.NotFoundError),
            (lambda: galago.batch(self.model, [{}], QUESTION, output=output, columns={"image": "a"}), galago.UsageError),
            (lambda: galago.batch(self.model, [3], QUESTION, output=output), TypeError),
            (lambda: galago.batch(self.model, source, QUESTION, output=source), galago.UsageError),
        ):
            with self.assertRaises(kind):
                use()


if __name__ == "__main__":
    unittest.main()
