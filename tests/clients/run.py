#!/usr/bin/env python3
"""Runs the tests with strangers' clients against a built galago, in a virtual environment of their own.

Usage: tests/clients/run.py --program build/galago --venv build/clients [-k PATTERN]
Exit code: 0 passed, 1 failed, 77 skipped, where the packages cannot be installed (the last line says why).
"""

import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
SKIPPED = 77
INSTALLING = 900  # seconds


def install(folder):
    """The environment's Python, with what requirements.txt lists; nothing and a reason where that fails."""
    python = folder / "bin" / "python"
    mark = folder / "installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return python, ""
    try:
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
        command += ["--no-deps", "-r", REQUIREMENTS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLING)
    except (OSError, subprocess.SubprocessError) as error:
        return None, str(error)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    mark.write_text(wanted)
    return python, ""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", required=True, type=pathlib.Path)
    arguments.add_argument("--venv", required=True, type=pathlib.Path)
    arguments.add_argument("-k", dest="pattern", help="run only tests whose name has this in it")
    asked = arguments.parse_args()
    python, reason = install(asked.venv.absolute())
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
