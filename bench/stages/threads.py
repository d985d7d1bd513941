# Measures stages with one thread and with two, in turns: what the plan for 4, 8 and 16 threads is computed from.
# In: a built galago, a model directory, a picture. Out: one JSON file for tools/bench_tables.py, which does the arithmetic of
# thread_plan.py; the file holds only what was measured.
# Usage: python3 bench/stages/threads.py --galago build/galago --model DIR --image FILE [-o FILE] [--rounds 3]

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402
import measure  # noqa: E402

# What is timed: a name for the table, flags of galago bench, its stages.
WORK = [("float32", [], ["vision tower", "prefill", "decode", "decode batch"]),
        ("bfloat16", ["--compute", "bf16"], ["vision tower", "prefill"]),
        ("q8", ["--dtype", "q8"], ["decode", "decode batch"])]


def bench(arguments, threads, flags, stages):
    command = [arguments.galago, "bench", "-m", arguments.model, "--image", arguments.image, "--json", "-t", threads, "--runs",
               arguments.runs, *flags]
    for stage in stages:
        command += ["--only", stage]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description="Measures stages with one thread and with two, in turns.")
    parser.add_argument("--galago", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=2, help="of each stage in each round")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=machine.results() / "threads.json")
    arguments = parser.parse_args()
    facts = machine.facts(arguments.galago)
    peak = {"1": [], "2": []}
    stages = {}
    for number in range(arguments.rounds):
        for numbers, flags, names in WORK:
            for threads in ("1", "2") if number % 2 == 0 else ("2", "1"):
                print(f"threads: round {number + 1} of {arguments.rounds}, {numbers}, {threads}", file=sys.stderr, flush=True)
                one = bench(arguments, threads, flags, names)
                peak[threads].append(one["peak"])
                for stage in one["stages"]:
                    found = stages.setdefault((numbers, stage["name"]), {
                        "name": stage["name"], "numbers": numbers, "work": stage["work"], "gflop": stage["gflop"], "gb": stage["gb"],
                        "ms": {"1": [], "2": []}})
                    found["ms"][threads] += stage["runs_ms"]
    for found in stages.values():
        found["ms"] = {threads: measure.spread(values) for threads, values in found["ms"].items()}
    result = {"kind": "threads", **facts, "threads": "1 and 2", "model": arguments.model.resolve().name, "rounds": arguments.rounds,
              "rates": {threads: {rate: max(one[rate] for one in found) for rate in ("gflops", "gb_per_s")}
                        for threads, found in peak.items()},
              "stages": list(stages.values()), "load_average_at_end": os.getloadavg()[0]}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
