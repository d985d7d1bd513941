"""The program galago and the demo model, which the package brings along."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

_FOLDER = Path(__file__).parent / "program"


def demo_model() -> Path:
    """The folder of the small demo model: it reads a few kinds of pictures, and is for trying galago out."""
    return _FOLDER / "share" / "galago" / "models" / "demo"


def main() -> NoReturn:
    """Becomes the program: `python -m galago`, and the command galago."""
    program = _FOLDER / "bin" / "galago"
    os.execv(program, ["galago", *sys.argv[1:]])
