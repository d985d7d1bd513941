# Records bench/drafts/drafts_bench: tokens a second with and without guesses, one page and eight at once.
# In: a built drafts_bench, models with a PDF or a picture each. Out: one JSON file.
# Usage: python3 bench/drafts/run.py --program build/drafts_bench -o bench/results/drafts.json
#            --case NAME MODEL PDF-OR-PICTURE DTYPE TOKENS [--case ...]

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402


def measured(arguments, model, page, dtype, tokens):
    kind = "--pdf" if page.lower().endswith(".pdf") else "--picture"
    command = [str(arguments.program), model, kind, page, "--dtype", dtype, "--tokens", tokens, "--threads", str(arguments.threads),
               "--rounds", str(arguments.rounds), "--at-once", str(arguments.at_once)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description="Records what guesses gain.")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--case", nargs=5, action="append", required=True, metavar=("NAME", "MODEL", "PAGE", "DTYPE", "TOKENS"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    result = {"kind": "drafts", **machine.facts(arguments.program), "threads": arguments.threads, "rounds": arguments.rounds, "cases": {}}
    for name, model, page, dtype, tokens in arguments.case:
        result["cases"][name] = {"model": pathlib.Path(model).resolve().name, "page": pathlib.Path(page).name, "dtype": dtype,
                                 "tokens": int(tokens), **measured(arguments, model, page, dtype, tokens)}
        print(name, result["cases"][name], file=sys.stderr)
    result["load_average_at_end"] = os.getloadavg()[0]
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
