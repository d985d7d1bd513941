# What the scripts of this folder share: a program's run from start to exit, and the spread of several.

import json
import os
import statistics
import subprocess
import time


class Ended(SystemExit):
    """A program that failed, which ends a script that does not expect it."""


def run(command, environment=None):
    """A program that prints one JSON object -> (the object, ms from start to exit, peak resident memory in MB)"""
    command = [str(word) for word in command]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped
    ms = (time.perf_counter() - start) * 1e3
    if process.returncode:
        raise Ended(f"{' '.join(command)}: exit code {process.returncode}")
    return json.loads(text), ms, usage.ru_maxrss / 1e3


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}
