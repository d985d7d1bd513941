"""What the tests of the package share."""

import json
import os
import pathlib
import subprocess

import galago

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODELS = ROOT / "tests" / "data" / "models"
TINY = MODELS / "smolvlm_tiles"
DEMO = galago.demo_model()
CAT = DEMO / "pictures" / "cat.jpg"
SHAPES = ROOT / "tests" / "data" / "pictures" / "shapes_100x80.png"
PROGRAM = os.environ["GALAGO_PROGRAM"]
QUESTION = "What is in the picture?"


def run(*words):
    """`galago run --json` with these words."""
    done = subprocess.run([PROGRAM, "run", "--json", *map(str, words)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)
