# tools/bench_tables.py: what it writes into a page, and that it notices a page that was changed by hand.

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "stages"))
import thread_plan  # noqa: E402

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench_tables.py"
PAGE = "# Times\n\n<!-- bench:{0} -->\nold\n<!-- /bench:{0} -->\nafter\n"
FACTS = {"commit": "abc", "date": "2026-01-02", "cpu": "Plain(R) CPU @ 2.10GHz, family 1, model 2", "cores": 2, "isa": ["avx2"], "threads": 2,
         "model": "small", "load_average": 0.1, "peak": {"gflops": 100, "gb_per_s": 10}}
OTHER = "Other, family 6, model 7"
FOLDERS = {FACTS["cpu"]: "plain-1-2", OTHER: "other-6-7"}
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


# Of 100 ms with one thread 20 are reading (2 GB/s); of the other 80 a quarter is serial: 20 + 60 / 2 = 50, and 10 of reading.
THREADS = {"kind": "threads", **FACTS, "threads": "1 and 2", "rounds": 3,
           "rates": {"1": {"gflops": 100, "gb_per_s": 2}, "2": {"gflops": 200, "gb_per_s": 4}}, "stages": [
               {"name": "decode", "numbers": "float32", "work": "1 row", "gflop": 1, "gb": 0.04,
                "ms": {"1": {"median": 100, "min": 99, "max": 101}, "2": {"median": 60, "min": 59, "max": 61}}}]}


SERVE = {"kind": "serve", **FACTS, "size": [3, 2], "questions": 1, "together": 1, "tokens": "5", "photos": {
    "galago": [{"tokens_per_second": 4, "requests_per_second": 0.5, "first_token_ms": {"p50": 7, "p99": 8}, "stage_seconds": {"decode_image": 0.5, "vision": 2}}],
    "other": [{"tokens_per_second": 2, "requests_per_second": 0.25, "first_token_ms": {"p50": 9, "p99": 10}}]}}


START = {"kind": "start", **FACTS, "rounds": 3, "programs": {
    "small": {what: {"median": median, "min": 1, "max": 9} for what, median in (("health_ms", 5), ("answer_ms", 7))}}}


class ThreadPlan(unittest.TestCase):
    TIMES, RATES = {1: 100, 2: 60}, {1: 2, 2: 4}

    def test_shares_are_those_of_a_sum_done_by_hand(self):
        memory, serial = thread_plan.shares(0.04, self.TIMES, self.RATES)
        self.assertAlmostEqual(memory, 0.2)
        self.assertAlmostEqual(serial, 0.25)

    def test_two_threads_come_out_as_measured(self):
        self.assertAlmostEqual(thread_plan.computed(0.04, self.TIMES, self.RATES, 2), 60)

    def test_more_threads_divide_what_is_not_serial_and_read_no_faster(self):
        self.assertAlmostEqual(thread_plan.computed(0.04, self.TIMES, self.RATES, 4), 10 + 20 + 15)
        self.assertAlmostEqual(thread_plan.computed(0.04, self.TIMES, self.RATES, 16), 10 + 20 + 3.75)
        self.assertAlmostEqual(thread_plan.computed(0.04, self.TIMES, self.RATES, 16, memory_grows=True), 1.25 + 20 + 3.75)

    def test_a_stage_that_only_reads_and_one_that_more_than_halves(self):
        self.assertEqual(thread_plan.shares(1, {1: 400, 2: 250}, self.RATES), (1, 0))
        self.assertAlmostEqual(thread_plan.computed(1, {1: 400, 2: 250}, self.RATES, 16), 250)
        self.assertEqual(thread_plan.shares(0, {1: 100, 2: 40}, self.RATES), (0, 0))


class BenchTables(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "docs").mkdir()
        (self.root / "bench" / "results").mkdir(parents=True)
        self.page = self.root / "docs" / "performance.md"
        self.page.write_text("".join(PAGE.format(name) for name in ("stages", "peers", "growth", "bars", "e2e", "gap", "start")))
        (self.root / "README.md").write_text(PAGE.format("summary"))

    def tearDown(self):
        self.folder.cleanup()

    def add(self, name, result):
        folder = self.root / "bench" / "results" / FOLDERS[result["cpu"]]
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(result))

    def run_tool(self, *arguments):
        done = subprocess.run([sys.executable, "-B", str(TOOL), *arguments, str(self.root)], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_fills_regions_and_then_agrees(self):
        for name, result in (("a", STAGES), ("b", PEERS), ("c", GROWTH), ("d", E2E), ("e", GAP), ("f", START)):
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
        self.assertIn("| small | 5.00 (1.00 to 9.00) | 7.00 (1.00 to 9.00) |", text)
        self.assertEqual(text.count("\nafter\n"), 7)
        self.assertNotIn("Other programs were running", text)
        self.assertTrue((self.root / "docs" / "performance" / "c-plain-1-2.svg").read_text().startswith("<svg"))
        self.assertEqual(self.run_tool("--check"), (0, ""))

    def test_one_question_says_where_its_time_goes(self):
        sys.path.insert(0, str(TOOL.parent))
        import bench_tables
        text = bench_tables.serve(SERVE)
        self.assertIn("1 question about photos of 3 x 2, 1 at a time, answers of 5 tokens", text)
        self.assertIn("| galago | 4.00 | 30.0 | 7.00 | 8.00 |", text)
        self.assertTrue(text.endswith("\ngalago: decode image 0.50 s, vision 2.00 s.\n"), text)

    def test_newer_recordings_name_the_peak_of_each_instruction(self):
        sys.path.insert(0, str(TOOL.parent))
        import bench_text
        newer = {**STAGES, "peak": {"gflops": 100, "bf16_gflops": 200, "int8_gops": 400, "gb_per_s": 10}}
        self.assertIn("peak 100 GFLOP/s, 200 GFLOP/s in bfloat16, 400 GOP/s in bytes, 10.0 GB/s;", bench_text.origin(newer))
        self.assertIn("peak 100 GFLOP/s, 10.0 GB/s;", bench_text.origin(STAGES))

    def test_the_front_page_sets_equal_formats_side_by_side(self):
        self.add("peers", PEERS)
        self.run_tool()
        text = (self.root / "README.md").read_text()
        self.assertIn("### Plain(R) CPU @ 2.10GHz, family 1, model 2\n", text)
        self.assertIn("| prefill, 7 rows | float32 | 10.0 ms | - | - | - | - |", text)
        self.assertIn("|  | bfloat16 | 5.00 ms | 30.0 ms (f16) | - | - | - |", text)
        self.assertIn("| decode, one token after 3 | bf16 | 10.0 ms | - | - | - | - |", text)
        self.assertIn("|  | q8 | 6.00 ms | 12.0 ms, 2.00x | - | - | - |", text)

    def test_the_front_page_takes_the_faster_of_a_formats_like_and_shows_losses(self):
        more = json.loads(json.dumps(PEERS))
        more["tasks"]["prefill"]["programs"] |= {
            "galago-compute-int8": {"median": 4, "min": 4, "max": 4},
            "llama-q4_0": {"median": 3, "min": 3, "max": 3, "ratios": {"galago-compute-int8": {"median": 0.75, "min": 0.7, "max": 0.8}}}}
        self.add("peers", more)
        self.run_tool()
        self.assertIn("|  | int8 | 4.00 ms | 3.00 ms (q4_0), 0.75x | - | - | - |", (self.root / "README.md").read_text())

    def test_the_front_page_shows_one_recording_of_each_processor(self):
        self.add("peers", PEERS)
        self.add("peers-again", PEERS)
        self.add("peers", {**PEERS, "cpu": OTHER, "commit": "def"})
        self.run_tool()
        text = (self.root / "README.md").read_text()
        self.assertEqual(text.count("| prefill, 7 rows |"), 2)
        self.assertEqual(text.count("commit abc"), 1)
        self.assertIn("### Other, family 6, model 7\n\n2 of 2 cores (avx2); commit def", text)

    def test_a_result_lies_in_the_folder_of_its_processor(self):
        self.add("peers", PEERS)
        file = self.root / "bench" / "results" / "plain-1-2" / "peers.json"
        (self.root / "bench" / "results" / "other-6-7").mkdir()
        file.rename(self.root / "bench" / "results" / "other-6-7" / "peers.json")
        code, output = self.run_tool()
        self.assertEqual(code, 1)
        self.assertIn("belongs into", output)
        self.assertIn("plain-1-2", output)

    def test_an_older_set_counts_by_itself(self):
        older = json.loads(json.dumps(PEERS))
        older["set"] = "avx2"
        older["tasks"]["decode"]["rounds"] = 31
        older["tasks"]["decode"]["programs"]["llama-q8_0"]["ratios"]["galago-q8"]["median"] = 1.1
        self.add("peers", PEERS)
        self.add("peers-avx2", older)
        self.run_tool()
        text = self.page.read_text()
        self.assertIn("| decode q8, llama.cpp Q8_0 | 1.8x | - | 2.00x q8 | must |", text)
        self.assertIn("| AVX2 only: decode, llama.cpp Q8_0 | 1x | 1.2x | 1.10x q8 | must |", text)
        self.assertIn("**Instructions up to AVX2 only**", text)

    def test_what_peers_were_asked_for_is_said(self):
        self.add("peers", {**PEERS, "programs": {
            "openvino-bf16": {"version": "1", "asked": "bfloat16", "ran": "72 products in bf16", "note": "came back"}}})
        self.run_tool()
        self.assertIn("| openvino-bf16 | bfloat16 | 72 products in bf16; came back |", self.page.read_text())

    def test_of_two_recordings_the_one_with_most_rounds_counts(self):
        more = json.loads(json.dumps(PEERS))
        del more["tasks"]["prefill"]
        more["tasks"]["decode"]["rounds"] = 31
        more["tasks"]["decode"]["programs"]["llama-q8_0"]["ratios"]["galago-q8"] = {"median": 1.5, "min": 1, "max": 3}
        self.add("a", more)
        self.add("b", PEERS)
        self.run_tool()
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

    def test_threads_say_what_is_measured_and_what_is_computed(self):
        self.page.write_text(PAGE.format("threads"))
        self.add("threads", THREADS)
        self.run_tool()
        text = self.page.read_text()
        self.assertIn("| decode, float32 | 100 ms | 60.0 ms | 20 % | 25 % | 45.0 ms | 37.5 ms | 33.8 ms | 25.0 ms |", text)
        self.assertIn("1 thread: 100 GFLOP/s, 2.00 GB/s; 2 threads: 200 GFLOP/s, 4.00 GB/s", text)

    def test_a_stage_table_names_the_flags_it_was_made_with(self):
        self.add("stages-bf16", {**STAGES, "flags": ["--compute", "bf16"]})
        self.run_tool()
        self.assertIn("Medians of 5 runs, `galago bench --compute bf16`.", self.page.read_text())

    def test_processors_with_amx_have_limits_of_their_own(self):
        many = json.loads(json.dumps(PEERS))
        many["tasks"]["prefill"]["programs"]["llama-q8_0"]["ratios"]["galago-compute-bf16"]["median"] = 1.2
        many["tasks"]["prefill"]["programs"]["llama-q8_0"]["ratios"]["galago"]["median"] = 0.6
        self.add("peers", {**many, "isa": ["avx2", "amx_tile"]})
        self.run_tool()
        text = self.page.read_text()
        self.assertIn("| prefill, the best peer in any format | 1x | 1.5x | 0.60x float32 (llama-q8_0), 1.20x bfloat16 (llama-q8_0) | must |", text)
        self.assertIn("| decode q8, llama.cpp Q8_0 | 1.1x | - | 2.00x q8 | must |", text)
        self.assertIn("| 8 sequences together, tokens a second of one | 5x | 6.5x |", text)

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
        self.assertIn("c-plain-1-2.svg", self.run_tool("--check")[1])

    def test_a_busy_machine_is_said(self):
        self.add("a", {**STAGES, "load_average": 3.5})
        self.run_tool()
        self.assertIn("Other programs were running", self.page.read_text())

    def test_without_results_the_page_says_so(self):
        self.run_tool()
        self.assertEqual(self.page.read_text().count("No results are recorded yet."), 7)

    def test_unknown_regions_are_refused(self):
        self.page.write_text(PAGE.format("nonsense"))
        self.assertNotEqual(self.run_tool()[0], 0)


if __name__ == "__main__":
    unittest.main()
