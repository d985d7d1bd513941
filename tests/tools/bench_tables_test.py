# tools/bench_tables.py: what it writes into a page, and that it notices a page that was changed by hand.

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench_tables.py"
PAGE = "# Times\n\n<!-- bench:{0} -->\nold\n<!-- /bench:{0} -->\nafter\n"
FACTS = {"commit": "abc", "date": "2026-01-02", "cpu": "A processor", "cores": 2, "isa": ["avx2"], "threads": 2,
         "model": "small", "load_average": 0.1, "peak": {"gflops": 100, "gb_per_s": 10}}
STAGE = {"name": "decode", "work": "1 row", "median_ms": 2, "min_ms": 1, "max_ms": 4, "gflop": 0.1, "gb": 0.01,
         "gflops": 50, "gb_per_s": 5, "of_peak_gflops": 0.5, "of_peak_gb_per_s": 0.5}
STAGES = {"kind": "stages", **FACTS, "runs": 5, "stages": [STAGE]}
PEERS = {"kind": "peers", **FACTS, "context": 7, "decode_context": 3, "failures": [], "tasks": {
    "prefill": {"unit": "ms", "rounds": 5, "programs": {
        "galago": {"median": 10, "min": 9, "max": 11},
        "galago-compute-bf16": {"median": 5, "min": 4, "max": 6},
        "llama-f16": {"median": 30, "min": 28, "max": 33, "ratios": {"galago": {"median": 3, "min": 2.5, "max": 3.5}}},
        "llama-q8_0": {"median": 20, "min": 18, "max": 23, "ratios": {
            "galago": {"median": 2, "min": 1.5, "max": 2.5},
            "galago-compute-bf16": {"median": 4, "min": 3, "max": 5}}}}},
    "decode": {"unit": "ms", "rounds": 5, "programs": {
        "galago": {"median": 10, "min": 9, "max": 11},
        "galago-q8": {"median": 6, "min": 5, "max": 7, "of_peak": {"median": 0.85}},
        "llama-q8_0": {"median": 12, "min": 11, "max": 13, "ratios": {
            "galago": {"median": 1.2, "min": 1, "max": 1.5}, "galago-q8": {"median": 2, "min": 1.5, "max": 2.5}}}}}}}
GROWTH = {"kind": "growth", **FACTS, "runs": 5, "curves": [
    {"name": "prefill", "x": "rows", "y": "ms", "points": [{"x": 1, "median": 2, "min": 1, "max": 3},
                                                            {"x": 2, "median": 4, "min": 3, "max": 5}]}]}


E2E = {"kind": "e2e", **FACTS, "rounds": 5, "tokens": 64, "ways": {
    "as stored": {"first token, ms": {"median": 900, "min": 800, "max": 1000}, "tokens/s": {"median": 99, "min": 9, "max": 120}}}}


GAP = {"kind": "gap", **FACTS, "rounds": 3, "tokens": 64, "programs": {
    name: {what: {"median": median, "min": 1, "max": 99} for what in (
        "gap_ms p50", "gap_ms p99", "gap_ms max", "tile_ms", "photos_ms", "tokens_per_second", "short_tokens_per_second")}
    for name, median in (("now", 11), ("before", 22))}}


class BenchTables(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "docs").mkdir()
        (self.root / "bench" / "results").mkdir(parents=True)
        self.page = self.root / "docs" / "performance.md"
        self.page.write_text("".join(PAGE.format(name) for name in ("stages", "peers", "growth", "bars", "e2e", "gap")))
        (self.root / "README.md").write_text(PAGE.format("summary"))

    def tearDown(self):
        self.folder.cleanup()

    def add(self, name, result):
        (self.root / "bench" / "results" / f"{name}.json").write_text(json.dumps(result))

    def run_tool(self, *arguments):
        done = subprocess.run([sys.executable, "-B", str(TOOL), *arguments, str(self.root)], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_fills_regions_and_then_agrees(self):
        for name, result in (("a", STAGES), ("b", PEERS), ("c", GROWTH), ("d", E2E), ("e", GAP)):
            self.add(name, result)
        self.assertEqual(self.run_tool("--check")[0], 1)
        self.assertEqual(self.run_tool()[0], 0)
        text = self.page.read_text()
        self.assertIn("| decode | 1 row | 2.00 ms | 1.00 to 4.00 | 0.10 | 50.0 (50 %) | 5.00 (50 %) |", text)
        self.assertIn("| prefill, 7 rows | 5 | galago | 10.0 ms | 9.00 to 11.0 | - |", text)
        self.assertIn("|  |  | llama-q8_0 | 20.0 ms | 18.0 to 23.0 | 2.00 (1.50 to 2.50) float32; 4.00 (3.00 to 5.00) bfloat16 |", text)
        self.assertIn("| galago run | first token, ms | tokens/s |", text)
        self.assertIn("| as stored | 900 (800 to 1000) | 99.0 (9.00 to 120) |", text)
        self.assertNotIn("old", text)
        self.assertIn("| longest gap, ms | 22.0 (1.00 to 99.0) | 11.0 (1.00 to 99.0) |", text)
        self.assertEqual(text.count("\nafter\n"), 6)
        self.assertNotIn("Other programs were running", text)
        self.assertTrue((self.root / "docs" / "performance" / "c.svg").read_text().startswith("<svg"))
        self.assertEqual(self.run_tool("--check"), (0, ""))

    def test_the_summary_takes_a_peers_fastest_format(self):
        self.add("b", PEERS)
        self.run_tool()
        self.assertIn("| prefill, 7 rows | 10.0 ms float32, 5.00 ms bfloat16 | 2.00x float32, 4.00x bfloat16 (its q8_0) "
                      "| - | - | - |", (self.root / "README.md").read_text())

    def test_decoding_is_compared_in_the_same_format(self):
        self.add("b", PEERS)
        self.run_tool()
        self.assertIn("| decode, one token after 3 | 10.0 ms mapped bf16, 6.00 ms q8 | 2.00x q8 (its q8_0) | - | - | - |",
                      (self.root / "README.md").read_text())

    def test_of_two_recordings_the_one_with_most_rounds_counts(self):
        more = json.loads(json.dumps(PEERS))
        del more["tasks"]["prefill"]
        more["tasks"]["decode"]["rounds"] = 31
        more["tasks"]["decode"]["programs"]["llama-q8_0"]["ratios"]["galago-q8"] = {"median": 1.5, "min": 1, "max": 3}
        self.add("a", more)
        self.add("b", PEERS)
        self.run_tool()
        summary = (self.root / "README.md").read_text()
        self.assertIn("| 1.50x q8 (its q8_0) |", summary)
        self.assertNotIn("2.00x q8", summary)
        self.assertIn("| decode q8, llama.cpp Q8_0 | 1.8x | - | 1.50x q8 | missed |", self.page.read_text())
        self.assertIn("2.00 (1.50 to 2.50) q8", self.page.read_text())

    def test_bars_say_what_is_reached_missed_and_not_measured(self):
        self.add("b", PEERS)
        self.add("c", {**GROWTH, "curves": [{"name": "decode step of a batch", "x": "sequences", "y": "ms", "points": [
            {"x": 1, "median": 2, "min": 1, "max": 3}, {"x": 8, "median": 3.5, "min": 3, "max": 4}]}]})
        self.run_tool()
        text = self.page.read_text()
        self.assertIn("| prefill, llama.cpp | 2.2x | 3x | 2.00x float32, 4.00x bfloat16 | aim |", text)
        self.assertIn("| decode q8, llama.cpp Q8_0 | 1.8x | - | 2.00x q8 | must |", text)
        self.assertIn("| decode q8, of the read rate | - | 90 % | 85 % q8 | missed |", text)
        self.assertIn("| 8 sequences together, tokens a second of one | 4x | 6x | 4.6x | must |", text)
        self.assertIn("| start to ready | 0.5 s | 0.15 s | not measured | not measured |", text)

    def test_a_changed_figure_is_noticed(self):
        self.add("a", STAGES)
        self.run_tool()
        self.page.write_text(self.page.read_text().replace("2.00 ms", "1.00 ms"))
        code, output = self.run_tool("--check")
        self.assertEqual(code, 1)
        self.assertIn("docs/performance.md", output)

    def test_a_changed_result_is_noticed(self):
        self.add("c", GROWTH)
        self.run_tool()
        changed = json.loads(json.dumps(GROWTH))
        changed["curves"][0]["points"][0]["median"] = 2.5
        self.add("c", changed)
        self.assertIn("c.svg", self.run_tool("--check")[1])

    def test_a_busy_machine_is_said(self):
        self.add("a", {**STAGES, "load_average": 3.5})
        self.run_tool()
        self.assertIn("Other programs were running", self.page.read_text())

    def test_without_results_the_page_says_so(self):
        self.run_tool()
        self.assertEqual(self.page.read_text().count("No results are recorded yet."), 6)

    def test_unknown_regions_are_refused(self):
        self.page.write_text(PAGE.format("nonsense"))
        self.assertNotEqual(self.run_tool()[0], 0)


if __name__ == "__main__":
    unittest.main()
