# Records bench/gap/gap_bench: what those who stream wait for while photos arrive, and many short questions at once.
# In: a built gap_bench, a model directory; another build's gap_bench to compare with, in turns. Out: one JSON file.
# Usage: python3 bench/gap/run.py --program build/gap_bench --model DIR -o bench/results/PROCESSOR/NAME.json [--before PROGRAM]

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402


def measured(program, arguments):
    command = [str(program), str(arguments.model), "--threads", str(arguments.threads), "--tokens", str(arguments.tokens)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def flat(one):
    """{"gap_ms": {"max": 1}} -> {"gap_ms max": 1}"""
    out = {}
    for key, value in one.items():
        out |= {f"{key} {inner}": number for inner, number in value.items()} if isinstance(value, dict) else {key: value}
    return out


def summed(rounds):
    """[{what: number}] -> {what: {median, min, max}}"""
    return {what: {"median": statistics.median(values), "min": min(values), "max": max(values)}
            for what in rounds[0] for values in [[one[what] for one in rounds]]}


def main():
    parser = argparse.ArgumentParser(description="Records the gaps of streams while photos arrive.")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--before", type=pathlib.Path, help="an earlier build, measured in turns")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=512, help="of each stream: so many that it outlasts the photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    result = {"kind": "gap", **machine.facts(arguments.program), "threads": arguments.threads,
              "model": arguments.model.resolve().name, "rounds": arguments.rounds, "tokens": arguments.tokens}
    programs = {"now": arguments.program} | ({"before": arguments.before} if arguments.before else {})
    rounds = {name: [] for name in programs}
    for number in range(arguments.rounds):
        for name, program in sorted(programs.items(), reverse=number % 2 == 0):
            rounds[name].append(flat(measured(program, arguments)))
            print(f"round {number + 1}: {name} {rounds[name][-1]}", file=sys.stderr)
    result["programs"] = {name: summed(values) for name, values in rounds.items()}
    result["load_average_at_end"] = os.getloadavg()[0]
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
