# How compare.py talks to the program that runs a peer: one JSON object a line, in both directions.
# In: {"task": NAME, ...} on standard input. Out: {"ready": ..} once, then {"ms": [..], ...} or {"error": ..} for each
# task, on what was standard output; whatever the peer itself prints goes to standard error.

import json
import os
import sys
import time


def take_over_stdout():
    """Returns a writer of lines to standard output, which from then on is standard error for everybody else."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return out


def milliseconds(action):
    """-> (milliseconds, what action returned)"""
    start = time.perf_counter()
    result = action()
    return (time.perf_counter() - start) * 1e3, result


def serve(out, load):
    """load() -> (facts, {task: function(arguments) -> dict}); answers tasks until standard input ends."""
    load_ms, (facts, tasks) = milliseconds(load)
    out.write(json.dumps({"ready": facts, "load_ms": load_ms, "tasks": sorted(tasks)}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = tasks[request["task"]](request)
        except Exception as error:  # the comparison goes on without this figure, and says so
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
