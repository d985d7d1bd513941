#!/usr/bin/env python3
"""Runs the tests of galago pull and -m ORG/NAME against a fake hub, with huggingface_hub beside it.

Usage: tests/hub/run.py --program build/galago --venv build/hub [-k PATTERN]
Without huggingface_hub (no network to install it) the tests that compare with it are skipped.
Exit code: 0 passed, 1 failed.
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

from make_venv import make_venv  # noqa: E402


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", required=True, type=pathlib.Path)
    arguments.add_argument("--venv", required=True, type=pathlib.Path)
    arguments.add_argument("-k", dest="pattern", help="run only tests whose name has this in it")
    asked = arguments.parse_args()
    python, reason = make_venv(asked.venv.absolute(), HERE / "requirements.txt")
    if not python:
        print(f"without huggingface_hub, which is not to be had: {reason}")
    command = [python or sys.executable, "-B", "-m", "unittest", "discover", "-s", HERE, "-p", "*_test.py"]
    command += ["-k", asked.pattern] if asked.pattern else []
    strange = ("HF_", "HUGGING", "TRANSFORMERS_", "XDG_CACHE_HOME")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(strange) and not k.lower().endswith("_proxy")}
    environment |= {"GALAGO_PROGRAM": str(asked.program.absolute()), "NO_PROXY": "*"}
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
