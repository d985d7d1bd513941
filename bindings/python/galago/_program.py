"""The program galago and the demo model, which the package brings along."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from . import _core
from ._errors import NotFoundError


def demo_model() -> Path:
    """The folder of the small demo model, which names a few kinds of things in pictures: for trying galago out.

    Raises:
        NotFoundError: in a package from a wheel, which is to stay small.
    """
    folder = Path(__file__).parent / "models" / "demo"
    if not folder.exists():
        raise NotFoundError(
            str(folder),
            "no demo model: a wheel is to stay small",
            "a package built from the sources",
            "a real one: galago.Model('HuggingFaceTB/SmolVLM-256M-Instruct'), which is downloaded",
        )
    return folder


def main() -> NoReturn:
    """The program: `python -m galago`, and the command galago."""
    sys.exit(_core.program(sys.argv[1:]))
