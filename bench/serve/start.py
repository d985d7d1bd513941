# How long servers take from their start until /health answers 200, and until a first question of one token is answered,
# in turns. What they open is in the page cache. In: command lines. Out: one JSON file.
# Usage: python3 bench/serve/start.py --program build/galago --model DIR -o bench/results/PROCESSOR/start.json
#            --case "galago q8" "build/galago serve -m DIR --port PORT --no-log" --case NAME COMMAND [...]

import argparse
import http.client
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import machine  # noqa: E402
import measure  # noqa: E402
import server  # noqa: E402

QUESTION = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "temperature": 0})


def asked(port, method, path, body=None):
    """The status of one answer; None where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return None
    finally:
        connection.close()


def once(command, patience=120):
    """-> ms until /health says 200, ms until a question was answered"""
    port = server.free_port()
    begin = time.monotonic()
    process = subprocess.Popen([word.replace("PORT", str(port)) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while asked(port, "GET", "/health") != 200:
            if process.poll() is not None or time.monotonic() - begin > patience:
                raise SystemExit(f"start: {' '.join(command)} does not answer")
            time.sleep(0.001)
        healthy = time.monotonic()
        status = asked(port, "POST", "/v1/chat/completions", QUESTION)
        if status != 200:
            raise SystemExit(f"start: {' '.join(command)} answered {status}")
        return 1e3 * (healthy - begin), 1e3 * (time.monotonic() - begin)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def main():
    parser = argparse.ArgumentParser(description="Times the start of servers.")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="a galago, of which the result names the commit")
    parser.add_argument("--case", nargs=2, action="append", required=True, metavar=("NAME", "COMMAND"), help="with PORT where the port goes")
    parser.add_argument("--model", required=True, help="what the commands open, for the result")
    parser.add_argument("--threads", type=int, default=2, help="that the commands name, for the result")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    cases = [(name, shlex.split(command)) for name, command in arguments.case]
    facts = machine.facts(arguments.program)
    times = {name: {"health_ms": [], "answer_ms": []} for name, _ in cases}
    for _, command in cases:
        once(command)  # what it opens is in memory then
    for number in range(arguments.rounds):
        for name, command in cases[number % len(cases):] + cases[:number % len(cases)]:
            for what, ms in zip(times[name], once(command)):
                times[name][what].append(round(ms, 1))
    result = {"kind": "start", **facts, "threads": arguments.threads, "model": arguments.model, "rounds": arguments.rounds, "load_average_at_end": os.getloadavg()[0],
              "programs": {name: {what: measure.spread(values) for what, values in one.items()} for name, one in times.items()}}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, one in result["programs"].items():
        print(f"{name}: healthy after {one['health_ms']['median']:.0f} ms, answered after {one['answer_ms']['median']:.0f} ms", file=sys.stderr)


if __name__ == "__main__":
    main()
