#!/usr/bin/env python3
"""Makes a virtual environment with pinned packages, once: a second call does nothing until the list changes.

Usage: tools/make_venv.py FOLDER REQUIREMENTS
Exit code: 0 made or there, 1 with the reason where the packages cannot be installed.
"""

import hashlib
import pathlib
import subprocess
import sys
import venv

INSTALLING = 900  # seconds


def make_venv(folder, requirements):
    """The environment's Python with exactly what the file lists; nothing and a reason where that fails."""
    python = folder / "bin" / "python"
    mark = folder / "installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return python, ""
    try:
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
        command += ["--no-deps", "-r", requirements]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLING)
    except (OSError, subprocess.SubprocessError) as error:
        return None, str(error)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    mark.write_text(wanted)
    return python, ""


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 64
    python, reason = make_venv(pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]))
    if not python:
        print(f"make_venv: {reason}", file=sys.stderr)
    return 0 if python else 1


if __name__ == "__main__":
    sys.exit(main())
