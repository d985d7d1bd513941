# What a user waits for: `galago run` from start to exit, each way in a process of its own.
# In: a built galago, a model directory, a picture. Out: one JSON file: for each way the times that the program reports
# (load, first token, tokens a second), the time from its start to its exit, and its largest resident set.
# Ways take turns, each round begins with another one. Random weights answer to the last token that is asked for.
# --also adds ways that open the same model from elsewhere: a directory of `galago quantize`, a GGUF file.
# Usage: python3 bench/e2e/run.py --galago build/galago --model DIR --image FILE -o bench/results/PROCESSOR/NAME.json [--rounds 5]
#        [--ways "as stored" "--dtype q8"] [--also "q8 directory=DIR-q8" "Q8_0 GGUF=FOLDER"]

import argparse
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402
import measure  # noqa: E402

WAYS = {"as stored": [], "--no-mmap": ["--no-mmap"], "--compute bf16": ["--compute", "bf16"],
        "--dtype q8": ["--dtype", "q8"], "--dtype q4": ["--dtype", "q4"],
        "--compute bf16 --dtype q8": ["--compute", "bf16", "--dtype", "q8"],
        "--compute bf16 --dtype q4": ["--compute", "bf16", "--dtype", "q4"]}


def ask(arguments, model, flags):
    """One process -> what it took."""
    answer, whole_ms, memory = measure.run(
        [arguments.galago, "run", "-m", model, "-t", arguments.threads, "--json", "-n", arguments.tokens, "-i",
         arguments.image, "-p", arguments.prompt, *flags])
    timings, count = answer["timings"], len(answer["token_ids"])
    if count < 2:
        raise SystemExit(f"the answer has {count} tokens: no rate to measure, choose another prompt")
    return {"start to exit, ms": whole_ms, "load, ms": timings["load_ms"], "first token, ms": timings["first_token_ms"],
            "tokens/s": (count - 1) / timings["decode_ms"] * 1e3, "peak memory, MB": memory}


def main():
    parser = argparse.ArgumentParser(description="Times galago run as a user meets it, in several ways in turns.")
    parser.add_argument("--galago", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--prompt", default="What is in the picture?")
    parser.add_argument("--tokens", type=int, default=64, help="of the answer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), metavar="WAY", help="which of: " + ", ".join(WAYS))
    parser.add_argument("--also", nargs="+", default=[], metavar="NAME=MODEL", help="ways that open the model from elsewhere")
    arguments = parser.parse_args()
    ways = {way: (arguments.model, WAYS[way]) for way in arguments.ways}
    for also in arguments.also:
        name, found, model = also.partition("=")
        if not found or not name or name in ways:
            parser.error(f"--also {also}: expected NAME=MODEL, each name once")
        ways[name] = (pathlib.Path(model), [])
    result = {"kind": "e2e", **machine.facts(arguments.galago), "threads": arguments.threads,
              "model": arguments.model.resolve().name, "rounds": arguments.rounds, "tokens": arguments.tokens}
    rounds = {way: [] for way in ways}
    for number in range(arguments.rounds):
        order = list(ways)[number % len(ways):] + list(ways)[:number % len(ways)]
        for way in order:
            print(f"e2e: round {number + 1} of {arguments.rounds}, {way}", file=sys.stderr, flush=True)
            rounds[way].append(ask(arguments, *ways[way]))
    result["ways"] = {way: {what: measure.spread([one[what] for one in runs]) for what in runs[0]} for way, runs in rounds.items()}
    result["load_average_at_end"] = os.getloadavg()[0]
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
