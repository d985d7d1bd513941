#!/usr/bin/env python3
"""Makes a wheel without libraries of a build folder: what it installs as the component python, with pyproject.toml's metadata.

Usage: packaging/wheel/pack.py --build build --to FOLDER
The Python that runs it must be the one that the extension module was built for.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from scikit_build_core.build import prepare_metadata_for_build_wheel

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--build", required=True, type=pathlib.Path)
    arguments.add_argument("--to", required=True, type=pathlib.Path)
    asked = arguments.parse_args()
    build, to = asked.build.absolute(), asked.to.absolute()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        prepare_metadata_for_build_wheel(folder)
        install = ["cmake", "--install", build, "--component", "python", "--strip", "--prefix", folder]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(pathlib.Path(folder) / "galago" / "models", ignore_errors=True)
        to.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "wheel", "pack", folder, "-d", to], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
