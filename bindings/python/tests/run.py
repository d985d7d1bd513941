#!/usr/bin/env python3
"""Runs the tests of the Python package as it would be installed, in a virtual environment of its own.

Usage: bindings/python/tests/run.py --build build --venv build/python [--tests FOLDER] [--package FOLDER] [-k PATTERN]
Exit code: 0 passed, 1 failed, 77 skipped, where the packages cannot be installed (the last line says why).
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SKIPPED = 77
sys.path.insert(0, str(ROOT / "tools"))

from make_venv import make_venv  # noqa: E402


def install(build, python):
    """Puts into the environment what a wheel would bring."""
    script = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    command = ["cmake", "--install", build, "--component", "python", "--prefix", site]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def install_package(folder, python):
    """Builds a package of Python alone with what is in the environment, and installs it there."""
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--force-reinstall", folder], check=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--build", required=True, type=pathlib.Path)
    arguments.add_argument("--venv", required=True, type=pathlib.Path)
    arguments.add_argument("--tests", default=HERE, type=pathlib.Path, help="a folder of tests and their requirements.txt")
    arguments.add_argument("--package", type=pathlib.Path, help="a folder of a further package, which is installed beside")
    arguments.add_argument("-k", dest="pattern", help="run only tests whose name has this in it")
    asked = arguments.parse_args()
    python, reason = make_venv(asked.venv.absolute(), asked.tests / "requirements.txt")
    if not python:
        print(f"skipped: the tests' packages are not to be had: {reason}")
        return SKIPPED
    install(asked.build, python)
    if asked.package:
        install_package(asked.package, python)
    command = [python, "-B", "-m", "unittest", "discover", "-s", asked.tests, "-p", "*_test.py"]
    command += ["-k", asked.pattern] if asked.pattern else []
    environment = {**os.environ, "GALAGO_PROGRAM": str(asked.build.absolute() / "galago")}
    return subprocess.run(command, env=environment, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
