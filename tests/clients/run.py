#!/usr/bin/env python3
"""Runs the tests with strangers' clients against a built galago, in a virtual environment of their own.

Usage: tests/clients/run.py --program build/galago --venv build/clients [-k PATTERN]
Exit code: 0 passed, 1 failed, 77 skipped, where the packages cannot be installed (the last line says why).
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
SKIPPED = 77
sys.path.insert(0, str(HERE.parents[1] / "tools"))

from make_venv import make_venv  # noqa: E402


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", required=True, type=pathlib.Path)
    arguments.add_argument("--venv", required=True, type=pathlib.Path)
    arguments.add_argument("-k", dest="pattern", help="run only tests whose name has this in it")
    asked = arguments.parse_args()
    python, reason = make_venv(asked.venv.absolute(), REQUIREMENTS)
    if not python:
        print(f"skipped: the clients' packages are not to be had: {reason}")
        return SKIPPED
    command = [python, "-B", "-W", "ignore", "-m", "unittest", "discover", "-s", HERE, "-p", "*_test.py"]
    command += ["-k", asked.pattern] if asked.pattern else []
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    environment = {k: v for k, v in os.environ.items() if k.lower() not in proxies}
    environment |= {
        "GALAGO_PROGRAM": str(asked.program.absolute()),
        "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "*",
    }
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
