# Load and faults on `galago serve`, and the same photo questions to llama-server, in turns. In: the program, a small
# model for connections and faults, a model of true size for speed. Out: one JSON file in bench/results.
# Usage: python3 bench/serve/run.py --program build/galago --small models/demo -o bench/results/PROCESSOR/serve.json
#        [--large DIR --llama llama-server --llama-text FILE.gguf --llama-mmproj FILE.gguf --transformers PYTHON] [--rounds 3]
#        [--soak MINUTES]

import argparse
import asyncio
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import machine  # noqa: E402
import scenarios  # noqa: E402
import server  # noqa: E402
import soak  # noqa: E402


WAYS = {"galago": [], "galago --compute bf16": ["--compute", "bf16"], "galago --compute int8": ["--compute", "int8"]}


def say(name, result):
    print(f"{name}: {json.dumps(result)}", file=sys.stderr)
    return result


def faults(arguments, log):
    """What must hold under load, with the small model."""
    results = {}
    command = server.galago(arguments.program, arguments.small, "--queue", 256, "--parallel", 16)
    with server.running(command, log) as (process, port):
        results["connections"] = say("connections", asyncio.run(scenarios.connections(port, process)))
        results["streams"] = say("streams", asyncio.run(scenarios.streams(port)))
        results["disconnects"] = say("disconnects", asyncio.run(scenarios.disconnects(port)))
        results["slow_clients"] = say("slow_clients", asyncio.run(scenarios.slow_clients(port)))
        if arguments.soak > 0:
            results["soak"] = say("soak", asyncio.run(soak.soak(port, process, 60 * arguments.soak)))
    with server.running(command, log) as (process, port):
        results["drain"] = say("drain", asyncio.run(scenarios.drain(port, process)))
    return results


def peak_mib(pid):
    """The most memory that a process has had, mapped files included."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024, 1)


def with_transformers(arguments):
    """The same questions by transformers in a process of its own."""
    script = pathlib.Path(__file__).resolve().parent / "with_transformers.py"
    words = ["--model", arguments.large, "--questions", arguments.questions, "--together", arguments.together, "--tokens", max(arguments.tokens),
             "--size", *arguments.size, "--threads", arguments.threads]
    done = subprocess.run([arguments.transformers, "-B", script, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def photos(arguments, log):
    """Photo questions side by side, in turns with llama-server; -> {program: [figures]}"""
    parallel = max(8, arguments.together)
    commands = {name: server.galago(arguments.program, arguments.large, "-t", arguments.threads, "--parallel", parallel, *flags, *arguments.galago_flags)
                for name, flags in WAYS.items() if name in arguments.ways}
    if arguments.llama:
        commands["llama-server"] = server.llama(arguments.llama, arguments.llama_text, arguments.llama_mmproj, "-t", arguments.threads,
                                                "--parallel", parallel, "-c", parallel * 2048, *arguments.llama_flags)
    rounds = {name: [] for name in commands}
    if arguments.transformers:
        rounds["transformers bf16"] = []
    for number in range(arguments.rounds):
        if arguments.transformers:
            rounds["transformers bf16"].append(say("transformers bf16", with_transformers(arguments)))
        for name, command in sorted(commands.items(), reverse=number % 2 == 1):
            with server.running(command, log) as (process, port):
                figures = asyncio.run(scenarios.photos(port, arguments.questions, arguments.together, arguments.tokens, *arguments.size))
                figures["peak_mib"] = peak_mib(process.pid)
                if name in WAYS and arguments.together == 1:  # side by side, steps of several answers are shared
                    figures["stage_seconds"] = asyncio.run(scenarios.stage_seconds(port))
                rounds[name].append(say(name, figures))
    return rounds


def lengths(text):
    """"48" or "16-96" -> (smallest, largest)"""
    smallest, _, largest = text.partition("-")
    return int(smallest), int(largest or smallest)


def main():
    parser = argparse.ArgumentParser(description="Load and faults on galago serve.")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--small", type=pathlib.Path, help="a model for connections and faults")
    parser.add_argument("--large", type=pathlib.Path, help="a model for photo questions")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=[*WAYS][:2], help="of galago, with the large model")
    parser.add_argument("--galago-flags", type=shlex.split, default=[], metavar="WORDS", help="more flags in one word: --galago-flags='--max-gap 100'")
    parser.add_argument("--llama", type=pathlib.Path)
    parser.add_argument("--llama-text", type=pathlib.Path)
    parser.add_argument("--llama-mmproj", type=pathlib.Path)
    parser.add_argument("--llama-flags", type=shlex.split, default=[], metavar="WORDS", help="likewise, for llama-server")
    parser.add_argument("--transformers", type=pathlib.Path, metavar="PYTHON", help="a Python with torch and transformers, asked with bfloat16 weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=16, help="about photos, in all")
    parser.add_argument("--together", type=int, default=8, help="of them at a time: the next one comes as one is answered")
    parser.add_argument("--tokens", type=lengths, default=(48, 48), metavar="N or A-B", help="of each answer; A-B: some A, some B, most between")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 488), metavar=("WIDTH", "HEIGHT"), help="of each photo")
    parser.add_argument("--soak", type=float, default=0, help="minutes of mixed and hostile traffic")
    parser.add_argument("--log", default="/dev/null", help="where the servers' output goes")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    result = {"kind": "serve", **machine.facts(arguments.program), "threads": arguments.threads,
              "model": (arguments.large or arguments.small).resolve().name}
    if arguments.small:
        result["faults"] = {"model": arguments.small.resolve().name, **faults(arguments, arguments.log)}
    if arguments.large:
        result |= {"size": list(arguments.size), "tokens": " to ".join(map(str, sorted(set(arguments.tokens)))), "questions": arguments.questions, "together": arguments.together,
                   "photos": photos(arguments, arguments.log)}
    result["load_average_at_end"] = os.getloadavg()[0]
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
