#!/usr/bin/env python3
"""Compares documents with docling-core, in a virtual environment of its own: 2000 pages of DocTags, 500 of DocLang.

Usage: tests/documents/run.py --driver build/documents_driver --venv build/documents
Exit code: 0 passed, 1 failed, 77 skipped, where the packages cannot be installed (the last line says why).
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / "tools"
SKIPPED = 77
sys.path.insert(0, str(TOOLS))

from make_venv import make_venv  # noqa: E402


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--driver", required=True, type=pathlib.Path)
    arguments.add_argument("--venv", required=True, type=pathlib.Path)
    asked = arguments.parse_args()
    python, reason = make_venv(asked.venv.absolute(), HERE / "requirements.txt")
    if not python:
        print(f"skipped: docling-core is not to be had: {reason}")
        return SKIPPED
    command = [python, "-B", TOOLS / "oracle" / "documents_pages.py", asked.driver.absolute()]
    failed = subprocess.run([*command, "-n", "2000"]).returncode or subprocess.run([*command, "-n", "500", "--doclang"]).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
