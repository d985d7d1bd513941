# Records `galago bench`: every stage alone, against the machine's peak, with what a result must say of its origin.
# In: a built galago, a model directory, a picture. Out: one JSON file for tools/bench_tables.py.
# Usage: python3 bench/stages/run.py --galago build/galago --model DIR --image FILE [-o bench/results/PROCESSOR/stages.json]
#        [--without STAGE ...] [-- --compute bf16 ...]   (what follows -- goes to galago bench)

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402

STAGES = ["decode image", "resize and tile", "normalise", "vision tower", "connector", "tokenizer", "prefill", "decode",
          "decode batch", "first token"]


def main():
    parser = argparse.ArgumentParser(description="Records galago bench with commit, processor and load.")
    parser.add_argument("--galago", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without", nargs="+", default=[], choices=STAGES, help="stages that are left out")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=machine.results() / "stages.json")
    parser.add_argument("flags", nargs="*", help="further flags of galago bench, behind --")
    arguments = parser.parse_args()
    facts = machine.facts(arguments.galago)
    command = [str(arguments.galago), "bench", "-m", str(arguments.model), "--image", str(arguments.image), "--json",
               "-t", str(arguments.threads), "--runs", str(arguments.runs), *arguments.flags]
    if arguments.without:
        command += [word for stage in STAGES if stage not in arguments.without for word in ("--only", stage)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    bench = json.loads(done.stdout)
    result = {"kind": "stages", **facts, "threads": bench["threads"], "model": arguments.model.resolve().name,
              "model_type": bench["model_type"], "weights": bench["dtype"], "backend": bench["backend"],
              "runs": arguments.runs, "flags": arguments.flags, "load_ms": bench["load_ms"], "peak": bench["peak"], "stages": bench["stages"],
              "load_average_at_end": os.getloadavg()[0]}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
